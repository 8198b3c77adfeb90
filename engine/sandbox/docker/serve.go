package docker

import (
	"archive/tar"
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/containerd/platforms"
	"github.com/moby/moby/api/pkg/stdcopy"
	"github.com/moby/moby/client"

	"github.com/ml-dev-bench/bench/engine/sandbox"
	"github.com/ml-dev-bench/bench/engine/sandbox/tunnel"
)

// helperDir is where a container has the helper. Only root can look into it.
const (
	helperDir  = "/.bench"
	helperName = "bench"
)

// helpers are the volumes with helpers, by platform.
type helpers struct {
	find func(platform string) (file string, err error)
	mu   sync.Mutex
	all  map[string]sandbox.Volume
}

// helperVolume is the volume for containers of an image.
func (d *Driver) helperVolume(ctx context.Context, image string) (sandbox.Volume, error) {
	inspected, err := d.client.ImageInspect(ctx, image)
	if err != nil {
		return sandbox.Volume{}, err
	}
	return d.helpers.volume(platformOf(inspected.Os, inspected.Architecture))
}

func (h *helpers) volume(platform string) (v sandbox.Volume, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if v, known := h.all[platform]; known {
		return v, nil
	}
	if h.find == nil {
		return v, errors.New("there is no helper to serve it with")
	}
	file, err := h.find(platform)
	if err != nil {
		return v, err
	}
	f, err := os.Open(file)
	if err != nil {
		return v, err
	}
	defer f.Close()
	sum := sha256.New()
	if _, err := io.Copy(sum, f); err != nil {
		return v, err
	}
	v = sandbox.Volume{
		Key: "helper " + hex.EncodeToString(sum.Sum(nil)), Target: helperDir, Files: func(w io.Writer) error { return packHelper(w, file) },
	}
	if h.all == nil {
		h.all = map[string]sandbox.Volume{}
	}
	h.all[platform] = v
	return v, nil
}

// platformOf is a platform as all who name one agree on.
func platformOf(system, arch string) string {
	p := platforms.Normalize(platforms.Platform{OS: system, Architecture: arch})
	return p.OS + "/" + p.Architecture
}

func packHelper(w io.Writer, file string) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	out := tar.NewWriter(w)
	if err := out.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: helperName, Size: info.Size(), Mode: 0o500}); err != nil {
		return err
	}
	if _, err := io.Copy(out, f); err != nil {
		return err
	}
	return out.Close()
}

// A way leads from a container to the handler that serves it. A nil way leads
// nowhere, and never breaks.
type way struct {
	server *tunnel.Server
	conn   *stdio
	helper string        // the id of the command that carries the bytes
	ended  atomic.Bool   // because it was to end
	done   chan struct{} // closed when no call of the handler runs any more
	judged chan struct{} // closed when it is known, after that, whether it broke
	broken chan struct{} // closed if it did
	err    error         // why; not before that
}

// errCutOff is that a container can no longer reach what is to serve it.
var errCutOff = errors.New("the sandbox was cut off from what serves it")

// serve starts the helper in a container, and lets h answer what it carries.
func (b *box) serve(ctx context.Context, h http.Handler) error {
	exec, err := b.client.ExecCreate(ctx, b.id, client.ExecCreateOptions{
		Cmd: []string{helperDir + "/" + helperName, tunnel.Command, sandbox.ServeAddr}, User: "0:0", WorkingDir: "/",
		AttachStdin: true, AttachStdout: true, AttachStderr: true,
	})
	if err != nil {
		return err
	}
	attached, err := b.client.ExecAttach(ctx, exec.ID, client.ExecAttachOptions{})
	if err != nil {
		return err
	}
	conn := &stdio{Conn: attached.Conn, in: attached.Reader}
	inTime := context.AfterFunc(ctx, func() { conn.Close() })
	server, err := tunnel.Open(conn)
	if !inTime() {
		conn.Close()
		return ctx.Err()
	}
	if err != nil {
		return fmt.Errorf("the helper in the sandbox did not start: %w%s", err, conn.complaint())
	}
	b.way = &way{
		server: server, conn: conn, helper: exec.ID, done: make(chan struct{}), judged: make(chan struct{}), broken: make(chan struct{}),
	}
	go func() {
		err := server.Serve(h)
		close(b.way.done)
		b.judge(err)
	}()
	return nil
}

// judge finds out why a way has ended, if it was not to. A helper that was killed
// was killed inside, by root or for want of memory: that is for whoever runs there
// to answer for. If it was the end of the container, that ends the commands too. It
// starts nothing in the container, which may be about to be frozen.
func (b *box) judge(cause error) {
	w := b.way
	defer close(w.judged)
	if w.ended.Load() {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), killWait)
	defer cancel()
	code, err := b.status(ctx, w.helper)
	switch {
	case err == nil && code == exitSignalled+9:
		return
	case err == nil:
		err = fmt.Errorf("its helper ended with exit status %d", code)
	}
	w.err = fmt.Errorf("%w: %w%s", errCutOff, errors.Join(cause, err), w.conn.complaint())
	close(w.broken)
}

// intact reports an error if a way broke while a command ran, which may have
// ended just because of that.
func (b *box) intact(ctx context.Context) error {
	w := b.way
	if w == nil {
		return nil
	}
	helper, err := b.client.ExecInspect(ctx, w.helper, client.ExecInspectOptions{})
	if err != nil {
		return wrap("inspecting a sandbox", err)
	}
	if helper.Running && w.alive() {
		return nil
	}
	w.server.Close()
	select {
	case <-w.judged:
		return w.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// end ends a way, and waits until nothing of it runs any more.
func (w *way) end(ctx context.Context) error {
	if w == nil {
		return nil
	}
	w.ended.Store(true)
	w.server.Close()
	select {
	case <-w.done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("what serves a sandbox does not end: %w", ctx.Err())
	}
}

// isBroken is closed if the way breaks.
func (w *way) isBroken() <-chan struct{} {
	if w == nil {
		return nil
	}
	return w.broken
}

// alive reports whether the way leads anywhere.
func (w *way) alive() bool {
	if w == nil {
		return false
	}
	select {
	case <-w.done:
		return false
	default:
		return true
	}
}

// complaintLimit is how much is kept of what a helper says on its standard error,
// in bytes.
const complaintLimit = 1 << 10

// A stdio is the standard input and output of a command that is attached to.
// The engine packs the latter into frames: 8 bytes that say which stream it is
// and how long, and then that many bytes.
type stdio struct {
	net.Conn
	in   *bufio.Reader
	left uint32 // of a frame of the standard output

	mu   sync.Mutex
	errs []byte
}

func (s *stdio) Read(p []byte) (int, error) {
	for s.left == 0 {
		if err := s.nextFrame(); err != nil {
			return 0, err
		}
	}
	n, err := s.in.Read(p[:min(len(p), int(s.left))])
	s.left -= uint32(n)
	return n, err
}

// nextFrame reads the header of a frame, and all of it if it is not of the
// standard output.
func (s *stdio) nextFrame() error {
	var header [8]byte
	if _, err := io.ReadFull(s.in, header[:]); err != nil {
		return err
	}
	size := binary.BigEndian.Uint32(header[4:])
	if stdcopy.StdType(header[0]) == stdcopy.Stdout {
		s.left = size
		return nil
	}
	text, err := io.ReadAll(io.LimitReader(s.in, min(int64(size), complaintLimit)))
	if err == nil {
		_, err = io.CopyN(io.Discard, s.in, int64(size)-int64(len(text)))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.errs = append(s.errs, text[:min(len(text), complaintLimit-len(s.errs))]...)
	return err
}

// complaint is what came on the standard error, to be put behind an error.
func (s *stdio) complaint() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if text := strings.TrimSpace(strings.ToValidUTF8(string(s.errs), "\uFFFD")); text != "" {
		return ": " + text
	}
	return ""
}
