package main

import "time"

// pace says when a connection sends: with PaceSeconds one message after the other, evenly spread; otherwise whenever an answer has come.
type pace struct {
	c *connection
	// Between two messages of this connection; 0: they do not wait for the time.
	step time.Duration
	due  time.Time
	// The streams that send, in turn, in the order of their start.
	streams []*stream
	turn    int
	// Whether the last of them has been answered first, which has been told.
	allOpen bool
}

func newPace(c *connection) *pace {
	p := &pace{c: c, due: c.now}
	if c.config.PaceSeconds > 0 {
		count := len(c.bodies)
		if c.config.Stream {
			count = c.config.Streams
		}
		p.step = seconds(c.config.PaceSeconds) / time.Duration(count)
	}
	return p
}

// begin opens what is open from the start: all streams, or the unary calls in flight.
func (p *pace) begin() {
	if p.step > 0 {
		return
	}
	for range p.c.config.Streams {
		p.c.start()
	}
}

// wait returns true once there is something to read, or an error to find, and false once it has queued what was due.
func (p *pace) wait() bool {
	c := p.c
	if p.step == 0 || !c.sending() {
		return true
	}
	if c.reader.Buffered() == 0 {
		_ = c.socket.SetReadDeadline(p.due)
		// Takes nothing out of the reader, so that no frame is cut by the deadline.
		_, _ = c.reader.Peek(1)
	}
	c.now = time.Now()
	isDue := !c.now.Before(p.due)
	for ; !p.due.After(c.now) && c.sending(); p.due = p.due.Add(p.step) {
		p.send()
	}
	return !isDue
}

// send queues the next message. What waits for answers, because the server is behind, misses its turn.
func (p *pace) send() {
	c := p.c
	if !c.config.Stream {
		if len(c.streams) < c.config.Streams {
			c.start()
		}
		return
	}
	if !p.allOpen {
		p.open()
	}
	at := p.turn % c.config.Streams
	p.turn++
	if at >= len(p.streams) {
		return
	}
	s := p.streams[at]
	if s.sent-s.acknowledged >= int64(c.config.Depth) || !c.opened(s) {
		return
	}
	s.startedAt = c.now
	c.queueNext(s)
	c.send(s)
}

// open opens the next stream, unless the one before has not been answered yet: a server takes so many attaches at once only.
func (p *pace) open() {
	c := p.c
	if len(p.streams) > 0 && !c.opened(p.streams[len(p.streams)-1]) {
		return
	}
	if len(p.streams) == c.config.Streams {
		p.tellOpen()
		return
	}
	c.start()
	p.streams = append(p.streams, c.streams[c.lastID])
}

// tellOpen says that this connection opens no more streams.
func (p *pace) tellOpen() {
	if !p.allOpen {
		p.allOpen = true
		p.c.counted.opened()
	}
}

func (c *connection) opened(s *stream) bool {
	return s.acknowledged > 0 && s.unattached == 0
}
