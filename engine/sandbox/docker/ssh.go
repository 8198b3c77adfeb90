package docker

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os/exec"
	"strings"
	"sync"
	"time"
)

// An sshDialer connects to the engine of another machine as the docker command
// does: each connection is an ssh process, at whose other end "docker system
// dial-stdio" passes bytes on. Keys, agents and known hosts are those of ssh.
type sshDialer struct {
	args []string

	mu   sync.Mutex
	said error // what the last one said that could not connect
}

func newSSHDialer(host string) (*sshDialer, error) {
	args, err := sshArgs(host)
	return &sshDialer{args: args}, err
}

// dial has the signature of a dialer; the address is always the same one.
func (d *sshDialer) dial(context.Context, string, string) (net.Conn, error) {
	c := &sshConn{dialer: d, cmd: exec.Command("ssh", d.args...)}
	c.cmd.Stderr = &c.stderr
	c.cmd.WaitDelay = sshEnd // a shared connection that stays in the background may hold it
	detach(c.cmd)
	var err error
	if c.in, err = c.cmd.StdinPipe(); err != nil {
		return nil, d.failed(err)
	}
	if c.out, err = c.cmd.StdoutPipe(); err != nil {
		return nil, d.failed(err)
	}
	if err := c.cmd.Start(); err != nil {
		return nil, d.failed(err)
	}
	return c, nil
}

// failed makes an error that wrap takes for an engine that cannot be reached.
func (d *sshDialer) failed(err error) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.said = err
	return &net.OpError{Op: "dial", Net: "ssh", Err: err}
}

// reason is why a connection could not be made. The client puts words of its own
// in the place of some errors.
func (d *sshDialer) reason(err error) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return cmp.Or(d.said, err)
}

// sshArgs is the command line after "ssh".
func sshArgs(host string) ([]string, error) {
	u, err := url.Parse(host)
	switch {
	case err != nil:
		return nil, err
	case u.Hostname() == "":
		return nil, errors.New("it names no host; write ssh://user@host")
	case u.User != nil && hasPassword(u):
		return nil, errors.New("ssh takes no password there; use a key")
	case u.RawQuery != "" || u.Fragment != "":
		return nil, errors.New("nothing may follow the path")
	}
	args := []string{"-o", "ConnectTimeout=30", "-o", "BatchMode=yes", "-T"}
	if u.User != nil {
		args = append(args, "-l", u.User.Username())
	}
	if u.Port() != "" {
		args = append(args, "-p", u.Port())
	}
	args = append(args, "--", u.Hostname(), "docker")
	if path := strings.TrimSuffix(u.Path, "/"); path != "" {
		args = append(args, "--host", "unix://"+quoteShell(path))
	}
	return append(args, "system", "dial-stdio"), nil
}

func hasPassword(u *url.URL) bool {
	_, has := u.User.Password()
	return has
}

// quoteShell makes a word of what the shell at the other end reads.
func quoteShell(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

// An sshConn is the connection that an ssh process makes.
type sshConn struct {
	dialer *sshDialer
	cmd    *exec.Cmd
	in     io.WriteCloser
	out    io.ReadCloser
	stderr bytes.Buffer // not to be read before the process has ended
	heard  bool         // something came; only Read, which is never called twice at once, uses it
	close  sync.Once
	ended  error
}

// Read reads from the engine. A process that ends before anything came was no
// connection, and has said why.
func (c *sshConn) Read(p []byte) (int, error) {
	n, err := c.out.Read(p)
	c.heard = c.heard || n > 0
	if err == nil || c.heard {
		return n, err
	}
	if ended := c.end(); ended != nil {
		err = ended
	}
	if said := strings.TrimSpace(c.stderr.String()); said != "" {
		err = errors.New("ssh: " + strings.TrimPrefix(lastLine(said), "ssh: "))
	}
	return n, c.dialer.failed(err)
}

func lastLine(s string) string { return s[strings.LastIndexByte(s, '\n')+1:] }

// Write writes to the engine.
func (c *sshConn) Write(p []byte) (int, error) { return c.in.Write(p) }

// CloseWrite lets the engine see the end of what is written.
func (c *sshConn) CloseWrite() error { return c.in.Close() }

// Close ends the process.
func (c *sshConn) Close() error {
	_ = c.end()
	return nil
}

// end waits for the process, which sees the end of its input, and kills it if it
// stays.
func (c *sshConn) end() error {
	c.close.Do(func() {
		_ = c.in.Close()
		_ = c.out.Close()
		kill := time.AfterFunc(sshEnd, func() { _ = c.cmd.Process.Kill() })
		defer kill.Stop()
		c.ended = c.cmd.Wait()
	})
	return c.ended
}

// sshEnd is how long an ssh process may take to end by itself.
const sshEnd = 2 * time.Second

// An sshAddr is all that is known of both ends.
type sshAddr struct{}

func (sshAddr) Network() string { return "ssh" }
func (sshAddr) String() string  { return "ssh" }

// LocalAddr says that this is ssh.
func (c *sshConn) LocalAddr() net.Addr { return sshAddr{} }

// RemoteAddr says that this is ssh.
func (c *sshConn) RemoteAddr() net.Addr { return sshAddr{} }

// SetDeadline bounds both ways, as far as pipes of this system can.
func (c *sshConn) SetDeadline(t time.Time) error {
	return errors.Join(c.SetReadDeadline(t), c.SetWriteDeadline(t))
}

// SetReadDeadline bounds Read.
func (c *sshConn) SetReadDeadline(t time.Time) error { return setDeadline(c.out, t) }

// SetWriteDeadline bounds Write.
func (c *sshConn) SetWriteDeadline(t time.Time) error { return setDeadline(c.in, t) }

func setDeadline(pipe any, t time.Time) error {
	d, ok := pipe.(interface{ SetDeadline(time.Time) error })
	if !ok {
		return fmt.Errorf("a %T has no deadline", pipe)
	}
	return d.SetDeadline(t)
}
