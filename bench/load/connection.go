package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"os"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// How long answers are waited for once nothing more is sent.
const drainTime = 5 * time.Second

// How much the peer may send before it hears that it was read: more than is ever under way.
const receiveWindow = 1 << 30

// connection is one HTTP/2 connection, driven by one goroutine: it reads frames, and after each burst of them writes what they make
// room for.
type connection struct {
	config  *Config
	bodies  [][]byte
	next    int
	socket  net.Conn
	reader  *bufio.Reader
	writer  *bufio.Writer
	framer  *http2.Framer
	streams map[uint32]*stream
	// HPACK blocks of a request: the first one fills the peer's table, all later ones point into it.
	firstHeaders, headers []byte
	lastID                uint32
	// What may be sent: on the connection, on a new stream, and how large a frame.
	window, initialWindow int64
	received              uint32
	// Streams that have something to send and no window.
	blocked []*stream
	// Which answers count.
	counted *window
	now     time.Time

	answered, failed int64
	firstFailure     string
	latencies        []int64
}

// open connects and says the HTTP/2 greeting.
func open(config *Config, address string, bodies [][]byte) (*connection, error) {
	socket, err := net.Dial("tcp", address)
	if err != nil {
		return nil, err
	}
	c := &connection{
		config: config, bodies: bodies, socket: socket,
		reader:  bufio.NewReaderSize(socket, 256<<10),
		writer:  bufio.NewWriterSize(socket, 256<<10),
		streams: map[uint32]*stream{},
		window:  65535, initialWindow: 65535,
	}
	c.framer = http2.NewFramer(c.writer, c.reader)
	c.framer.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	c.framer.SetReuseFrames()
	c.firstHeaders, c.headers = requestHeaders(config.Path, address)
	if _, err := io.WriteString(c.writer, http2.ClientPreface); err != nil {
		return nil, err
	}
	if err := c.framer.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: math.MaxInt32}); err != nil {
		return nil, err
	}
	if err := c.framer.WriteWindowUpdate(0, receiveWindow); err != nil {
		return nil, err
	}
	return c, c.writer.Flush()
}

func requestHeaders(path, address string) (first, later []byte) {
	var block bytes.Buffer
	encoder := hpack.NewEncoder(&block)
	encode := func() []byte {
		block.Reset()
		for _, field := range []hpack.HeaderField{
			{Name: ":method", Value: "POST"},
			{Name: ":scheme", Value: "http"},
			{Name: ":path", Value: path},
			{Name: ":authority", Value: address},
			{Name: "content-type", Value: "application/grpc"},
			{Name: "te", Value: "trailers"},
			{Name: "user-agent", Value: "leasehold-bench"},
		} {
			// Writing to memory does not fail.
			_ = encoder.WriteField(field)
		}
		return bytes.Clone(block.Bytes())
	}
	return encode(), encode()
}

// drive runs the connection to its end.
func (c *connection) drive(counted *window) {
	defer c.socket.Close()
	c.counted = counted
	c.now = time.Now()
	pace := newPace(c)
	// One that fails is not waited for.
	defer pace.tellOpen()
	pace.begin()
	for {
		if err := c.writer.Flush(); err != nil {
			c.fail(err.Error())
			return
		}
		if c.finished() {
			return
		}
		if !pace.wait() {
			continue
		}
		_ = c.socket.SetReadDeadline(c.counted.end().Add(drainTime))
		if err := c.readBurst(); err != nil {
			if errors.Is(err, os.ErrDeadlineExceeded) {
				c.fail(fmt.Sprintf("%d streams were not answered in time", len(c.streams)))
			} else {
				c.fail(err.Error())
			}
			return
		}
		c.sendBlocked()
	}
}

// finished says whether everything was answered and nothing more is to be sent.
func (c *connection) finished() bool {
	if len(c.streams) == 0 {
		return c.config.PaceSeconds == 0 || !c.sending()
	}
	if !c.config.Stream || c.sending() {
		return false
	}
	for _, s := range c.streams {
		if s.sent != s.acknowledged {
			return false
		}
	}
	return true
}

func (c *connection) sending() bool {
	return c.counted.sends(c.now)
}

func (c *connection) counting() bool {
	return c.counted.counts(c.now)
}

// start opens a stream with the next body.
func (c *connection) start() {
	if !c.sending() || c.config.Once && c.next == len(c.bodies) {
		return
	}
	body := c.bodies[c.next%len(c.bodies)]
	c.next++
	block := c.headers
	if c.lastID == 0 {
		c.lastID, block = 1, c.firstHeaders
	} else {
		c.lastID += 2
	}
	s := &stream{id: c.lastID, window: c.initialWindow, first: body, startedAt: c.now}
	if c.config.Heartbeat {
		s.unattached = attaches(body)
	}
	c.streams[s.id] = s
	_ = c.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: s.id, BlockFragment: block, EndHeaders: true})
	s.queue(body)
	s.sent = 1
	c.send(s)
}

// send writes what a stream has queued, as far as the windows allow.
func (c *connection) send(s *stream) {
	for len(s.unsent) > 0 {
		size := min(int64(len(s.unsent)), 16384, c.window, s.window)
		if size <= 0 {
			if !s.blocked {
				s.blocked = true
				c.blocked = append(c.blocked, s)
			}
			return
		}
		last := !c.config.Stream && size == int64(len(s.unsent))
		_ = c.framer.WriteData(s.id, last, s.unsent[:size])
		s.unsent = s.unsent[size:]
		c.window -= size
		s.window -= size
	}
	s.unsent = s.buffer[:0]
}

func (c *connection) sendBlocked() {
	waiting := c.blocked
	c.blocked = nil
	for _, s := range waiting {
		s.blocked = false
		if c.streams[s.id] == s {
			c.send(s)
			c.topUp(s)
		}
	}
}

// readBurst reads one frame, and then those that have arrived with it.
func (c *connection) readBurst() error {
	for {
		frame, err := c.framer.ReadFrame()
		c.now = time.Now()
		if err != nil {
			return err
		}
		if err := c.take(frame); err != nil {
			return err
		}
		if c.reader.Buffered() < 9 {
			return nil
		}
	}
}

func (c *connection) take(frame http2.Frame) error {
	switch frame := frame.(type) {
	case *http2.DataFrame:
		return c.takeData(frame)
	case *http2.MetaHeadersFrame:
		if frame.StreamEnded() {
			c.end(c.streams[frame.StreamID], grpcStatus(frame))
		}
	case *http2.RSTStreamFrame:
		c.end(c.streams[frame.StreamID], "reset: "+frame.ErrCode.String())
	case *http2.WindowUpdateFrame:
		if frame.StreamID == 0 {
			c.window += int64(frame.Increment)
		} else if s := c.streams[frame.StreamID]; s != nil {
			s.window += int64(frame.Increment)
		}
	case *http2.SettingsFrame:
		return c.takeSettings(frame)
	case *http2.PingFrame:
		if !frame.IsAck() {
			return c.framer.WritePing(true, frame.Data)
		}
	case *http2.GoAwayFrame:
		return fmt.Errorf("the server goes away: %v %s", frame.ErrCode, frame.DebugData())
	}
	return nil
}

func (c *connection) takeData(frame *http2.DataFrame) error {
	c.received += uint32(len(frame.Data()))
	if c.received > receiveWindow/2 {
		if err := c.framer.WriteWindowUpdate(0, c.received); err != nil {
			return err
		}
		c.received = 0
	}
	s := c.streams[frame.StreamID]
	if s == nil {
		return nil
	}
	s.take(frame.Data(), func(message []byte) { c.answer(s, message) })
	c.topUp(s)
	return nil
}

func (c *connection) takeSettings(frame *http2.SettingsFrame) error {
	if frame.IsAck() {
		return nil
	}
	if value, ok := frame.Value(http2.SettingInitialWindowSize); ok {
		change := int64(value) - c.initialWindow
		c.initialWindow = int64(value)
		for _, s := range c.streams {
			s.window += change
		}
	}
	return c.framer.WriteSettingsAck()
}

// end takes a stream's status; of a unary call it is the answer, and the next call starts.
func (c *connection) end(s *stream, status string) {
	if s == nil {
		return
	}
	delete(c.streams, s.id)
	switch {
	case c.config.Stream:
		c.fail("stream ended: " + status)
	case status != "0" || s.messages != 1:
		c.fail("status " + status)
	case c.counting():
		c.answered++
		c.latencies = append(c.latencies, c.now.Sub(s.startedAt).Microseconds())
	}
	if !c.config.Stream && c.config.PaceSeconds == 0 {
		c.start()
	}
}

func (c *connection) fail(why string) {
	c.failed++
	if c.firstFailure == "" {
		c.firstFailure = why
	}
}

func grpcStatus(frame *http2.MetaHeadersFrame) string {
	status, message := "none", ""
	for _, field := range frame.Fields {
		switch field.Name {
		case "grpc-status":
			status = field.Value
		case "grpc-message":
			message = field.Value
		}
	}
	if message != "" && status != "0" {
		return status + " " + message
	}
	return status
}
