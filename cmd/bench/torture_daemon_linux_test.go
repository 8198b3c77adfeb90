package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/moby/moby/client"
)

// A daemon is a Docker engine of the test's own, with a containerd of its own,
// which shares nothing with that of the machine: it can be stopped without harm to
// anybody's containers.
//
// All of it lives in namespaces of processes and mounts whose first process is a
// shell, the keeper. The keeper ends when its standard input does, however the
// test ends, and the kernel then ends and unmounts the rest.
type daemon struct {
	dir     string
	host    string
	log     string
	keeper  *exec.Cmd
	orders  io.WriteCloser // a line each: "up", or the signal that stops dockerd
	answers *bufio.Scanner // a line for each signal, when dockerd has ended
}

const keeperScript = `
dir=$1
shift
containerd --config "$dir/containerd.toml" </dev/null >>"$dir/log" 2>&1 &
while read -r order; do
	if [ "$order" = up ]; then
		rm -f "$dir/docker.pid" # a killed one leaves it
		dockerd "$@" </dev/null >>"$dir/log" 2>&1 &
		dockerd=$!
	else
		kill -"$order" "$dockerd"
		wait "$dockerd"
		echo down
	fi
done`

// ownDaemon starts an engine for a rig, with the image of the suite in it.
func ownDaemon(r *rig) func() {
	for _, name := range []string{"dockerd", "containerd", "unshare"} {
		if _, err := exec.LookPath(name); err != nil {
			r.Fatalf("an engine that may be stopped needs %s on this machine: %v", name, err)
		}
	}
	dir, err := os.MkdirTemp("", "torture-") // sockets do not fit into the path of t.TempDir
	r.must(err)
	d := &daemon{dir: dir, host: "unix://" + filepath.Join(dir, "docker.sock"), log: filepath.Join(dir, "log")}
	d.keep(r.T)
	var undone bool
	undo := func() {
		if undone {
			return
		}
		undone = true
		d.down("TERM")
		d.orders.Close()
		_ = d.keeper.Wait() // its status is that of its last order
		r.root("rm", "-rf", dir)
	}
	r.Cleanup(undo)
	d.up(r.T)
	c, err := client.New(client.WithHost(d.host))
	r.must(err)
	r.must(d.load(r.engine, c, "debian:trixie-slim"))
	r.use(c, d.host)
	r.engineDown, r.engineUp = d.down, func() { d.up(r.T) }
	return undo
}

// keep starts the keeper, and containerd with it.
func (d *daemon) keep(t *testing.T) {
	t.Helper()
	in := func(name string) string { return filepath.Join(d.dir, name) }
	config := fmt.Appendf(nil, "version = 2\nroot = %q\nstate = %q\ndisabled_plugins = [\"io.containerd.grpc.v1.cri\"]\n[grpc]\n  address = %q\n",
		in("containerd"), in("containerd-state"), in("containerd.sock"))
	err := os.WriteFile(in("containerd.toml"), config, 0o644)
	d.keeper = asRoot("unshare", "--net", "--pid", "--fork", "--kill-child", "--mount-proc", "sh", "-c", keeperScript, "keeper", d.dir,
		"--host", d.host, "--group", strconv.Itoa(os.Getgid()), "--containerd", in("containerd.sock"),
		"--data-root", in("data"), "--exec-root", in("exec"), "--pidfile", in("docker.pid"),
		"--bridge", "none", "--iptables=false", "--ip-forward=false", "--ip-masq=false")
	d.keeper.Stderr = os.Stderr
	var answers io.Reader
	if err == nil {
		d.orders, err = d.keeper.StdinPipe()
	}
	if err == nil {
		answers, err = d.keeper.StdoutPipe()
	}
	if err == nil {
		err = d.keeper.Start()
	}
	if err != nil {
		t.Fatalf("an engine that may be stopped needs root, or sudo that does not ask: %v", err)
	}
	d.answers = bufio.NewScanner(answers)
}

// up starts dockerd, and waits until it answers.
func (d *daemon) up(t *testing.T) {
	t.Helper()
	_, _ = fmt.Fprintln(d.orders, "up") // a keeper that is gone shows below
	c, err := client.New(client.WithHost(d.host))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if !waitFor(func() bool { _, err := c.Ping(context.Background(), client.PingOptions{}); return err == nil }) {
		text, _ := os.ReadFile(d.log)
		t.Fatalf("dockerd does not answer; it needs root, or sudo that does not ask, and said:\n%s", text[max(0, len(text)-4000):])
	}
}

// down stops dockerd with a signal, and waits until it has ended.
func (d *daemon) down(signal string) {
	_, _ = fmt.Fprintln(d.orders, signal)
	d.answers.Scan()
}

// load copies an image from one engine to another.
func (d *daemon) load(from, to *client.Client, image string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 4*patience)
	defer cancel()
	saved, err := from.ImageSave(ctx, []string{image})
	if err != nil {
		return err
	}
	defer saved.Close()
	loaded, err := to.ImageLoad(ctx, saved)
	if err != nil {
		return err
	}
	defer loaded.Close()
	_, err = io.Copy(io.Discard, loaded)
	return err
}
