// Package fake is a sandbox driver without an engine, for tests of what uses
// one. Its sandboxes are files in memory, and a function of the test plays the
// programs:
//
//	d := &fake.Driver{Program: func(ctx context.Context, b *fake.Box, cmd sandbox.Cmd) (sandbox.Exit, error) {
//		b.Write("/workspace/out.txt", "42")
//		return sandbox.Exit{Code: 1}, nil
//	}}
//
// Fail lets any method return an error, or panic, or wait, before it does its
// work. A program that is to ask what serves its sandbox calls b.Spec.Serve. When
// the test is over, Open must be 0.
//
// It keeps no secrets and forbids nothing: what sandboxes must keep apart is for
// the real drivers to show, in package sandboxtest.
package fake

import (
	"archive/tar"
	"context"
	"io"
	"maps"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/ml-dev-bench/bench/engine"
	"github.com/ml-dev-bench/bench/engine/sandbox"
)

// A Call is a call of a method of the driver or of one of its sandboxes.
type Call struct {
	Method  string // "Image", "Start", "Exec", "Freeze", "CopyOut", "Changes", "Usage" or "Close"
	Image   string // for Image: its name
	Trial   string // empty for Image
	Grading bool   // in the sandbox of a check
}

// A Driver starts sandboxes that are not there. The zero Driver runs programs
// that print nothing, change nothing and end with 0.
type Driver struct {
	// Program plays every command. The end of its ctx is SIGTERM, or SIGKILL if
	// the command has no grace then; cmd.Kill is closed when it is killed, and
	// nothing may go on after that.
	Program func(ctx context.Context, b *Box, cmd sandbox.Cmd) (sandbox.Exit, error)
	// Fail is asked first in every call; its error is that of the call.
	Fail func(ctx context.Context, c Call) error

	// Base is what every image has: content by absolute path.
	Base map[string]string

	// Used is what every sandbox says that it has used.
	Used engine.Usage

	// Serve plays the start of every service of a sandbox, and returns what it
	// prints. An error is why it is never ready. Box.End ends it later.
	Serve func(ctx context.Context, b *Box, s sandbox.Service) (log string, err error)

	// Forget keeps no list of calls, for tests of what others keep.
	Forget bool

	mu     sync.Mutex
	calls  []Call
	images []Image
	open   int
	most   int
}

// An Image is one that was asked for, with the files of its build context.
type Image struct {
	Spec  sandbox.ImageSpec
	Files map[string]string // content by path; nil if it is not built
}

var _ sandbox.Driver = (*Driver)(nil)

// Calls lists all calls so far.
func (d *Driver) Calls() []Call {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.calls)
}

// Images lists the images that were asked for so far.
func (d *Driver) Images() []Image {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.images)
}

// Open is the number of sandboxes that have not been closed, and most the
// highest that it ever was.
func (d *Driver) Open() (now, most int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.open, d.most
}

func (d *Driver) call(ctx context.Context, c Call) error {
	d.mu.Lock()
	if !d.Forget {
		d.calls = append(d.calls, c)
	}
	d.mu.Unlock()
	if d.Fail == nil {
		return nil
	}
	return d.Fail(ctx, c)
}

// Image has every image.
func (d *Driver) Image(ctx context.Context, spec sandbox.ImageSpec) (string, error) {
	if err := d.call(ctx, Call{Method: "Image", Image: spec.Name}); err != nil {
		return "", err
	}
	image := Image{Spec: spec}
	if spec.Context != nil {
		image.Files = map[string]string{}
		if err := unpack(spec.Context, func(name, content string) { image.Files[name] = content }); err != nil {
			return "", err
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.images = append(d.images, image)
	return "fake:" + spec.Name, nil
}

// Start keeps the files of a sandbox.
func (d *Driver) Start(ctx context.Context, spec sandbox.Spec) (sandbox.Sandbox, error) {
	b := &Box{Spec: spec, driver: d, files: map[string]string{}}
	if err := b.call(ctx, "Start"); err != nil {
		return nil, err
	}
	if err := b.serve(ctx); err != nil {
		return nil, err
	}
	maps.Copy(b.files, d.Base)
	for _, name := range spec.Remove {
		b.Remove(name)
	}
	if err := unpack(spec.Files, func(name, content string) { b.Write("/"+name, content) }); err != nil {
		return nil, err
	}
	for _, v := range spec.Volumes {
		if err := unpack(v.Files, func(name, content string) { b.Write(path.Join(v.Target, name), content) }); err != nil {
			return nil, err
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.open++
	d.most = max(d.most, d.open)
	return b, nil
}

// A Box is a sandbox.
type Box struct {
	Spec   sandbox.Spec
	driver *Driver

	mu       sync.Mutex
	files    map[string]string // content by absolute path; directories are not kept
	services []sandbox.ServiceState
	closed   bool
}

// serve starts the services.
func (b *Box) serve(ctx context.Context) error {
	for _, s := range b.Spec.Services {
		state := sandbox.ServiceState{Name: s.Name}
		if b.driver.Serve != nil {
			var err error
			if state.Log, err = b.driver.Serve(ctx, b, s); err != nil {
				return &sandbox.ServiceError{Name: s.Name, Log: state.Log, Err: err}
			}
		}
		b.services = append(b.services, state)
	}
	return nil
}

// End ends a service by itself.
func (b *Box) End(service string, exit sandbox.Exit) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for i := range b.services {
		if b.services[i].Name == service {
			b.services[i].Exit = &exit
		}
	}
}

// Services tells of the services.
func (b *Box) Services() []sandbox.ServiceState {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.services)
}

// Read is the content of a file.
func (b *Box) Read(name string) (content string, ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	content, ok = b.files[name]
	return content, ok
}

// Write makes a file, or replaces it.
func (b *Box) Write(name, content string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.files[name] = content
}

// Remove removes a file, or a directory with all below.
func (b *Box) Remove(name string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	maps.DeleteFunc(b.files, func(file, _ string) bool { return file == name || strings.HasPrefix(file, name+"/") })
}

// unpack reads a tar stream, and keeps its files.
func unpack(write func(io.Writer) error, keep func(name, content string)) error {
	r, w := io.Pipe()
	defer r.Close()
	go func() { w.CloseWithError(write(w)) }()
	for in := tar.NewReader(r); ; {
		h, err := in.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		content, err := io.ReadAll(in)
		if err != nil {
			return err
		}
		if h.Typeflag == tar.TypeReg {
			keep(h.Name, string(content))
		}
	}
}

func (b *Box) call(ctx context.Context, method string) error {
	return b.driver.call(ctx, Call{Method: method, Trial: b.Spec.Trial, Grading: b.Spec.Grading})
}

// Exec lets the driver's program play the command.
func (b *Box) Exec(ctx context.Context, cmd sandbox.Cmd) (sandbox.Exit, error) {
	if err := b.call(ctx, "Exec"); err != nil {
		return sandbox.Exit{}, err
	}
	if err := ctx.Err(); err != nil {
		return sandbox.Exit{}, err
	}
	if b.driver.Program == nil {
		return sandbox.Exit{}, nil
	}
	killed := make(chan struct{})
	over := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() { kill(ctx, cmd, over, killed) })
	defer wg.Wait()
	defer close(over)
	mortal := cmd
	mortal.Kill = killed
	return b.driver.Program(ctx, b, mortal)
}

// kill closes killed when a command's grace is over, unless the command is.
func kill(ctx context.Context, cmd sandbox.Cmd, over <-chan struct{}, killed chan<- struct{}) {
	select {
	case <-over:
		return
	case <-ctx.Done():
	}
	grace := time.NewTimer(cmd.GraceAfter(ctx))
	defer grace.Stop()
	select {
	case <-over:
		return
	case <-cmd.Kill:
	case <-grace.C:
	}
	close(killed)
}

// Freeze has nothing to stop.
func (b *Box) Freeze(ctx context.Context) error { return b.call(ctx, "Freeze") }

// CopyOut writes the files below a directory.
func (b *Box) CopyOut(ctx context.Context, dir string, w io.Writer) error {
	if err := b.call(ctx, "CopyOut"); err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	out := tar.NewWriter(w)
	if err := out.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: path.Base(dir) + "/", Mode: 0o755}); err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(b.files)) {
		rest, ok := strings.CutPrefix(name, strings.TrimSuffix(dir, "/")+"/")
		if !ok {
			continue
		}
		if err := out.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: path.Join(path.Base(dir), rest), Size: int64(len(b.files[name])), Mode: 0o644}); err != nil {
			return err
		}
		if _, err := io.WriteString(out, b.files[name]); err != nil {
			return err
		}
	}
	return out.Close()
}

// Changes compares the files with those of the image.
func (b *Box) Changes(ctx context.Context, each func(sandbox.Change) error) error {
	if err := b.call(ctx, "Changes"); err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, name := range slices.Sorted(maps.Keys(b.files)) {
		if was, ok := b.driver.Base[name]; ok && was == b.files[name] {
			continue
		}
		if err := each(sandbox.Change{Path: name}); err != nil {
			return err
		}
	}
	for _, name := range slices.Sorted(maps.Keys(b.driver.Base)) {
		if _, ok := b.files[name]; ok {
			continue
		}
		if err := each(sandbox.Change{Path: name, Deleted: true}); err != nil {
			return err
		}
	}
	return nil
}

// Usage is what the driver was told to say.
func (b *Box) Usage(ctx context.Context) (engine.Usage, error) {
	return b.driver.Used, b.call(ctx, "Usage")
}

// Close forgets the sandbox, also when it fails.
func (b *Box) Close() error {
	b.mu.Lock()
	first := !b.closed
	b.closed = true
	b.mu.Unlock()
	if !first {
		return nil
	}
	b.driver.mu.Lock()
	b.driver.open--
	b.driver.mu.Unlock()
	return b.call(context.Background(), "Close")
}
