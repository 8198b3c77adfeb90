package scripted

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// maxRequest bounds the body of a request, in bytes.
const maxRequest = 64 << 20

// A request is what the script needs to know of one.
type request struct {
	family family
	model  string
	stream bool
	array  bool // a stream of Google's that is one array of JSON
	usage  bool // a stream of chat completions that ends with usage
	tools  bool
	size   int // of the body, in bytes
}

// An answer is what a turn says to one request.
type answer struct {
	n     int // which request of the attempt it answers
	model string
	text  string
	calls []toolCall
	usage *usage // nil if none is told
	stop  stop   // "" if the model was done
}

// An event is one piece of a stream.
type event struct {
	name string // "" if the family has no names
	data any    // a string is sent as it is
}

// A family knows the forms of answers. Its values are made for encoding/json.
type family interface {
	plain(a answer) any
	stream(a answer, q request) []event
	failure(status int, message string, retryAfter time.Duration) any
	broken(status int, message string) event // a failure in the middle of a stream
}

// ServeHTTP answers one request.
func (t *Trial) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch {
	case r.Header.Get("Upgrade") != "":
		http.Error(w, "this provider speaks plain HTTP", http.StatusUpgradeRequired)
		return
	case r.Method == http.MethodHead:
		return
	case r.Method == http.MethodGet && strings.HasSuffix(r.URL.Path, "/models"):
		reply(w, http.StatusOK, encode(object{"object": "list", "data": []any{}, "models": []any{}, "has_more": false}), "")
		return
	}
	family, method := route(r.URL.Path)
	if family == nil || r.Method != http.MethodPost {
		reply(w, http.StatusNotFound, encode(chat{}.failure(http.StatusNotFound, fmt.Sprintf("there is no %s %s", r.Method, r.URL.Path), 0)), "")
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxRequest))
	var large *http.MaxBytesError
	if errors.As(err, &large) {
		reply(w, http.StatusRequestEntityTooLarge, encode(family.failure(http.StatusRequestEntityTooLarge, "the request is too large", 0)), "")
		return
	}
	if err != nil {
		panic(http.ErrAbortHandler) // the client has gone
	}
	if method == "count" {
		n := tokens(len(body))
		reply(w, http.StatusOK, encode(object{"input_tokens": n, "totalTokens": n}), "")
		return
	}
	q, err := readRequest(r, family, body)
	if err != nil {
		reply(w, http.StatusBadRequest, encode(family.failure(http.StatusBadRequest, err.Error(), 0)), "")
		return
	}
	turn, n, err := t.next(q)
	if err != nil {
		reply(w, http.StatusBadRequest, encode(family.failure(http.StatusBadRequest, "bench: "+err.Error(), 0)), "")
		return
	}
	s := &server{w: w, ctx: r.Context(), turn: turn, request: q}
	s.answer(turn.answer(n, q))
}

// route finds what is asked by the end of a path: clients do not agree on what comes
// before. The method is "", or "count" for counting tokens.
func route(path string) (family, string) {
	switch {
	case strings.HasSuffix(path, "/chat/completions"):
		return chat{}, ""
	case strings.HasSuffix(path, "/responses"):
		return responses{}, ""
	case strings.HasSuffix(path, "/responses/input_tokens"):
		return responses{}, "count"
	case strings.HasSuffix(path, "/messages"):
		return messages{}, ""
	case strings.HasSuffix(path, "/messages/count_tokens"):
		return messages{}, "count"
	case strings.HasSuffix(path, ":generateContent"), strings.HasSuffix(path, ":streamGenerateContent"):
		return generate{}, ""
	case strings.HasSuffix(path, ":countTokens"):
		return generate{}, "count"
	}
	return nil, ""
}

func readRequest(r *http.Request, f family, body []byte) (request, error) {
	var in struct {
		Model         string            `json:"model"`
		Stream        bool              `json:"stream"`
		Tools         []json.RawMessage `json:"tools"`
		StreamOptions struct {
			IncludeUsage bool `json:"include_usage"`
		} `json:"stream_options"`
	}
	if err := json.Unmarshal(body, &in); err != nil {
		return request{}, fmt.Errorf("the request cannot be read: %w", err)
	}
	q := request{family: f, model: in.Model, stream: in.Stream, usage: in.StreamOptions.IncludeUsage, tools: len(in.Tools) > 0, size: len(body)}
	if f == (generate{}) {
		_, name, _ := strings.Cut(r.URL.Path, "/models/")
		colon := strings.LastIndexByte(name, ':')
		q.model, q.stream = name[:max(colon, 0)], name[colon+1:] == "streamGenerateContent"
		q.array = q.stream && r.URL.Query().Get("alt") != "sse"
	}
	if q.model == "" {
		return q, errors.New("the request names no model")
	}
	return q, nil
}

// tokens is how many there are in some bytes, where nobody says.
func tokens(bytes int) int64 { return int64(bytes+3) / 4 }

// answer is what the turn says to the nth request.
func (t turn) answer(n int, q request) answer {
	a := answer{n: n, model: q.model, text: t.text, usage: t.usage, stop: t.stop}
	if t.garble == "utf8" {
		a.text += notUTF8
	}
	if t.pad > 0 {
		a.text += strings.Repeat("x", t.pad)
	}
	size := len(a.text)
	for i, c := range t.calls {
		c.id = fmt.Sprintf("call_%d_%d", n, i+1)
		a.calls = append(a.calls, c)
		size += len(c.name) + len(c.args)
	}
	switch {
	case t.quiet:
		a.usage = nil
	case a.usage == nil:
		a.usage = &usage{input: tokens(q.size), output: tokens(size)}
	}
	return a
}

// A server sends one answer.
type server struct {
	w       http.ResponseWriter
	ctx     context.Context
	turn    turn
	request request
	conn    net.Conn // taken over from the HTTP server; nil mostly
}

func (s *server) answer(a answer) {
	s.sleep(s.turn.wait)
	switch {
	case s.turn.trouble == isError && (s.turn.after == 0 || !s.request.stream):
		s.fail()
	case s.turn.trouble != noTrouble && s.turn.after == 0:
		s.end()
	case s.request.stream:
		s.stream(s.frames(a))
	default:
		s.plain(a)
	}
}

// sleep waits, unless the client goes away.
func (s *server) sleep(d time.Duration) {
	if d == 0 {
		return
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-s.ctx.Done():
		panic(http.ErrAbortHandler)
	}
}

func (s *server) message() string {
	if s.turn.message != "" {
		return s.turn.message
	}
	return "a scripted failure"
}

func (s *server) fail() {
	after := ""
	if s.turn.retryAfter > 0 && s.request.family != (generate{}) { // Google tells it in the body
		after = strconv.FormatInt(int64((s.turn.retryAfter+time.Second-1)/time.Second), 10)
	}
	reply(s.w, s.turn.status, s.garbled(encode(s.request.family.failure(s.turn.status, s.message(), s.turn.retryAfter))), after)
}

// reply sends a plain answer.
func reply(w http.ResponseWriter, status int, body []byte, retryAfter string) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	if retryAfter != "" {
		w.Header().Set("Retry-After", retryAfter)
	}
	w.WriteHeader(status)
	_, _ = w.Write(body) // a client that has gone needs no answer
}

func (s *server) plain(a answer) {
	body := s.garbled(encode(s.request.family.plain(a)))
	if s.turn.trouble == noTrouble {
		reply(s.w, http.StatusOK, body, "")
		return
	}
	s.open("application/json", len(body))
	s.send(body[:len(body)/2])
	s.end()
}

// garbled does to a text what the turn says. Half of a JSON text is none.
func (s *server) garbled(text []byte) []byte {
	if s.turn.garble == "json" {
		return text[:len(text)/2]
	}
	return bytes.ReplaceAll(text, []byte(notUTF8), []byte{0xff, 0xfe})
}

// notUTF8 stands for bytes that are no UTF-8 until a text is encoded: a character
// for private use, which no script needs.
const notUTF8 = "\uf8fe"

// frames are the bytes of a stream, one for each event.
func (s *server) frames(a answer) [][]byte {
	events := s.request.family.stream(a, s.request)
	if s.turn.trouble == isError && s.turn.after < len(events) {
		events = append(events[:s.turn.after:s.turn.after], s.request.family.broken(s.turn.status, s.message()))
	}
	frames := make([][]byte, len(events))
	for i, e := range events {
		frames[i] = s.frame(e, i, len(events))
	}
	return frames
}

func (s *server) frame(e event, i, of int) []byte {
	text, isText := e.data.(string)
	data := []byte(text)
	if !isText {
		data = encode(e.data)
	}
	if s.turn.garble != "json" || i == of/2 {
		data = s.garbled(data)
	}
	switch {
	case s.request.array:
		before, after := ",\n", ""
		if i == 0 {
			before = "["
		}
		if i == of-1 {
			after = "]\n"
		}
		return fmt.Appendf(nil, "%s%s%s", before, data, after)
	case e.name != "":
		return fmt.Appendf(nil, "event: %s\ndata: %s\n\n", e.name, data)
	}
	return fmt.Appendf(nil, "data: %s\n\n", data)
}

// stream sends events up to the trouble, if there is one.
func (s *server) stream(frames [][]byte) {
	kind := "text/event-stream"
	if s.request.array {
		kind = "application/json"
	}
	s.open(kind, -1)
	for i, f := range frames {
		if s.turn.trouble != noTrouble && s.turn.trouble != isError && i == s.turn.after {
			break
		}
		if i > 0 {
			s.sleep(s.turn.pace)
		}
		s.send(f)
	}
	if s.turn.trouble != noTrouble && s.turn.trouble != isError {
		s.end()
	}
}

// open sends the head of an answer; a length below 0 is not known. To close one
// side of a connection later, it must be taken from the server now.
func (s *server) open(kind string, length int) {
	if s.turn.trouble == halfClose && s.hijack() {
		head := "Transfer-Encoding: chunked"
		if length >= 0 {
			head = "Content-Length: " + strconv.Itoa(length)
		}
		fmt.Fprintf(s.conn, "HTTP/1.1 200 OK\r\nContent-Type: %s\r\n%s\r\n\r\n", kind, head)
		return
	}
	s.w.Header().Set("Content-Type", kind)
	if length >= 0 {
		s.w.Header().Set("Content-Length", strconv.Itoa(length))
	}
	s.w.WriteHeader(http.StatusOK)
}

// send sends a part of the body at once. What cannot be sent ends the answer.
func (s *server) send(b []byte) {
	var err error
	switch {
	case s.conn == nil:
		if _, err = s.w.Write(b); err == nil {
			err = http.NewResponseController(s.w).Flush()
		}
	case s.request.stream:
		_, err = fmt.Fprintf(s.conn, "%x\r\n%s\r\n", len(b), b)
	default:
		_, err = s.conn.Write(b)
	}
	if err != nil && !errors.Is(err, http.ErrNotSupported) {
		s.close()
		panic(http.ErrAbortHandler)
	}
}

// hijack takes over the connection, if it has two sides that can be closed.
func (s *server) hijack() bool {
	conn, buffered, err := http.NewResponseController(s.w).Hijack()
	if err != nil {
		return false
	}
	s.conn = &taken{conn, buffered.Reader}
	return true
}

// taken is a connection whose first bytes may have been read.
type taken struct {
	net.Conn
	rest *bufio.Reader
}

func (t *taken) Read(p []byte) (int, error) { return t.rest.Read(p) }

func (s *server) close() {
	if s.conn != nil {
		s.conn.Close()
	}
}

// end is where an answer goes wrong. It returns when the client has gone.
func (s *server) end() {
	switch s.turn.trouble {
	case hang:
		<-s.ctx.Done()
	case halfClose:
		if s.conn == nil && !s.hijack() {
			break
		}
		defer s.close()
		if half, ok := s.conn.(*taken).Conn.(interface{ CloseWrite() error }); ok && half.CloseWrite() == nil {
			_, _ = io.Copy(io.Discard, s.conn) // until the client closes its side
		}
		return
	}
	panic(http.ErrAbortHandler)
}

// pieces cuts a text as models do when they stream: into a few words each, and into
// no more than some hundred.
func pieces(text string) []string {
	size := max(24, len(text)/256)
	var out []string
	for len(text) > size {
		cut := size
		for !utf8.RuneStart(text[cut]) {
			cut--
		}
		out = append(out, text[:cut])
		text = text[cut:]
	}
	if text != "" {
		out = append(out, text)
	}
	return out
}
