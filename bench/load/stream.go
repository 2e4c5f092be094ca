package main

import (
	"encoding/binary"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
)

// stream is one call: a unary one, or one that keeps messages in flight.
type stream struct {
	id    uint32
	first []byte
	// What waits for the windows, and the memory it lies in.
	unsent, buffer []byte
	blocked        bool
	window         int64
	// The start of an answer whose rest has not arrived.
	partial []byte
	// Answers so far.
	messages int64
	// Messages sent and answered; the first message included.
	sent, acknowledged int64
	// When the last message was queued: a latency, with one in flight.
	startedAt time.Time
	// The handles to beat, as a packed field; nil until the first attach was answered.
	handles []byte
	// How many attaches of the first message have not been answered.
	unattached int
}

func (s *stream) queue(frame []byte) {
	s.buffer = append(s.unsent, frame...)
	s.unsent = s.buffer
}

// take splits arriving bytes into messages.
func (s *stream) take(data []byte, handle func(message []byte)) {
	if len(s.partial) > 0 {
		data = append(s.partial, data...)
	}
	for len(data) >= 5 {
		size := 5 + int(binary.BigEndian.Uint32(data[1:5]))
		if len(data) < size {
			break
		}
		s.messages++
		handle(data[5:size])
		data = data[size:]
	}
	s.partial = append(s.partial[:0:0], data...)
}

// answer counts what a message acknowledges.
func (c *connection) answer(s *stream, message []byte) {
	if !c.config.Stream {
		return
	}
	before := s.acknowledged
	if c.config.Heartbeat {
		c.takeHeartbeat(s, message)
	} else {
		s.acknowledged++
	}
	if count := s.acknowledged - before; count > 0 && c.counting() {
		c.answered += count
		if c.config.Depth == 1 {
			c.latencies = append(c.latencies, c.now.Sub(s.startedAt).Microseconds())
		}
	}
}

// topUp queues messages until as many as wanted are in flight.
func (c *connection) topUp(s *stream) {
	if !c.config.Stream || c.config.PaceSeconds > 0 || !c.sending() || len(s.unsent) > 0 || c.config.Heartbeat && s.handles == nil {
		return
	}
	// Half of the depth at a time, so that messages travel in large frames.
	room := int64(c.config.Depth) - (s.sent - s.acknowledged)
	if room <= int64(c.config.Depth)/2 && c.config.Depth > 1 || room <= 0 {
		return
	}
	s.startedAt = c.now
	for range room {
		c.queueNext(s)
	}
	c.send(s)
}

// queueNext queues the message after the first one.
func (c *connection) queueNext(s *stream) {
	s.sent++
	if c.config.Heartbeat {
		s.queueBeat()
	} else {
		s.queue(s.first)
	}
}

// queueBeat queues a HeartbeatRequest: the sequence number in field 1, the handles in field 2.
func (s *stream) queueBeat() {
	number := uint64(s.sent)
	size := 1 + protowire.SizeVarint(number) + len(s.handles)
	frame := binary.BigEndian.AppendUint32(append(s.unsent, 0), uint32(size))
	frame = protowire.AppendVarint(append(frame, 1<<3), number)
	s.buffer = append(frame, s.handles...)
	s.unsent = s.buffer
}

// attaches counts the leases that a HeartbeatRequest attaches; frame is its gRPC frame.
func attaches(frame []byte) (count int) {
	eachField(frame[5:], func(field protowire.Number, _ uint64, _ []byte) {
		if field == fieldAttach {
			count++
		}
	})
	return count
}

// Fields of HeartbeatRequest, HeartbeatResponse, HeartbeatAttached and HeartbeatHandle.
const (
	fieldAttach       = 4
	fieldAcknowledged = 1
	fieldExcepted     = 2
	fieldAttached     = 3
	fieldLost         = 4
	fieldHandle       = 3
	fieldNumber       = 1
)

func (c *connection) takeHeartbeat(s *stream, message []byte) {
	var attached []uint64
	eachField(message, func(field protowire.Number, number uint64, bytes []byte) {
		switch field {
		case fieldAcknowledged:
			s.acknowledged = max(s.acknowledged, int64(number))
		case fieldExcepted:
			c.fail("a beat was excepted")
		case fieldLost:
			c.fail("a lease was lost")
		case fieldAttached:
			if handle, ok := handleOf(bytes); ok {
				attached = append(attached, handle)
			} else {
				s.unattached--
				c.fail("an attach was refused: " + string(bytes))
			}
		}
	})
	if attached != nil {
		s.attach(attached)
	}
}

// attach adds handles to those that are beaten.
func (s *stream) attach(handles []uint64) {
	s.unattached -= len(handles)
	var packed []byte
	if s.handles != nil {
		_, head := protowire.ConsumeVarint(s.handles[1:])
		packed = append(packed, s.handles[1+head:]...)
	}
	for _, handle := range handles {
		packed = protowire.AppendVarint(packed, handle)
	}
	s.handles = protowire.AppendBytes([]byte{2<<3 | 2}, packed)
}

func handleOf(attached []byte) (handle uint64, ok bool) {
	eachField(attached, func(field protowire.Number, _ uint64, outcome []byte) {
		if field == fieldHandle && outcome != nil {
			eachField(outcome, func(field protowire.Number, number uint64, _ []byte) {
				if field == fieldNumber {
					handle, ok = number, true
				}
			})
		}
	})
	return handle, ok
}

// eachField walks a message; a field is a number, or bytes.
func eachField(message []byte, visit func(field protowire.Number, number uint64, bytes []byte)) {
	for len(message) > 0 {
		field, kind, size := protowire.ConsumeTag(message)
		if size < 0 {
			return
		}
		message = message[size:]
		var number uint64
		var bytes []byte
		switch kind {
		case protowire.VarintType:
			number, size = protowire.ConsumeVarint(message)
		case protowire.BytesType:
			bytes, size = protowire.ConsumeBytes(message)
		default:
			size = protowire.ConsumeFieldValue(field, kind, message)
		}
		if size < 0 {
			return
		}
		message = message[size:]
		visit(field, number, bytes)
	}
}
