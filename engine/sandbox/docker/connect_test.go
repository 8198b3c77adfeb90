package docker_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"io"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/moby/moby/client"

	"github.com/ml-dev-bench/bench/engine/sandbox"
	"github.com/ml-dev-bench/bench/engine/sandbox/docker"
	"github.com/ml-dev-bench/bench/engine/sandbox/sandboxtest"
)

// engineSocket is where the engine of these tests listens.
func engineSocket(t *testing.T) string {
	t.Helper()
	host := os.Getenv("DOCKER_HOST")
	if host == "" {
		host = client.DefaultDockerHost
	}
	path, ok := strings.CutPrefix(host, "unix://")
	if !ok {
		t.Fatalf("this test needs an engine at a socket, and DOCKER_HOST is %s", host)
	}
	return path
}

// A bridge is another way to the engine: it passes on what comes to a listener.
type bridge struct{ used atomic.Int32 }

func (b *bridge) serve(t *testing.T, l net.Listener) {
	socket := engineSocket(t)
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			b.used.Add(1)
			go pass(conn, socket)
		}
	}()
}

type halfCloser interface{ CloseWrite() error }

// pass passes bytes on in both directions, and each end with them.
func pass(conn net.Conn, socket string) {
	defer conn.Close()
	engine, err := net.Dial("unix", socket)
	if err != nil {
		return
	}
	defer engine.Close()
	go func() {
		io.Copy(engine, conn)
		engine.(halfCloser).CloseWrite()
	}()
	io.Copy(conn, engine)
	conn.(halfCloser).CloseWrite()
}

// dockerConfig is a configuration of the docker command with one context, named
// "there", which leads to a host. It is the only one that the test sees.
func dockerConfig(t *testing.T, host string) (dir, tlsDir string) {
	t.Helper()
	dir = t.TempDir()
	t.Setenv("DOCKER_CONFIG", dir)
	t.Setenv("DOCKER_HOST", "")
	t.Setenv("DOCKER_CONTEXT", "")
	sum := sha256.Sum256([]byte("there"))
	id := hex.EncodeToString(sum[:])
	meta, err := json.Marshal(map[string]any{"Name": "there", "Metadata": map[string]any{}, "Endpoints": map[string]any{"docker": map[string]any{"Host": host, "SkipTLSVerify": false}}})
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "contexts", "meta", id, "meta.json"), meta)
	return dir, filepath.Join(dir, "contexts", "tls", id, "docker")
}

func write(t *testing.T, file string, content []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, content, 0o600); err != nil {
		t.Fatal(err)
	}
}

// works runs a command in a sandbox, with input and output of every kind that the
// driver has.
func works(t *testing.T) {
	t.Helper()
	d, err := docker.Open(t.Context(), docker.Options{State: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	}()
	spec := sandboxtest.Spec(baseID(t, d))
	if got := run(t, d, spec, "cat", "/workspace/given.txt"); got != "given\n" {
		t.Errorf("got %q", got)
	}
	box, err := d.Start(t.Context(), spec)
	if err != nil {
		t.Fatal(err)
	}
	defer box.Close()
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if _, err := box.Exec(ctx, sandbox.Cmd{Args: []string{"sleep", "1000"}, Dir: "/", User: spec.Sandbox.User}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
	var archive bytes.Buffer
	if err := box.CopyOut(t.Context(), "/workspace", &archive); err != nil || !strings.Contains(archive.String(), "given") {
		t.Errorf("copied %d bytes, %v", archive.Len(), err)
	}
}

func TestContext(t *testing.T) {
	l, err := net.Listen("unix", filepath.Join(t.TempDir(), "engine.sock"))
	if err != nil {
		t.Fatal(err)
	}
	var b bridge
	b.serve(t, l)
	dir, _ := dockerConfig(t, "unix://"+l.Addr().String())
	for name, choose := range map[string]func(*testing.T){
		"by the environment":   func(t *testing.T) { t.Setenv("DOCKER_CONTEXT", "there") },
		"by the configuration": func(t *testing.T) { write(t, filepath.Join(dir, "config.json"), []byte(`{"currentContext": "there"}`)) },
	} {
		t.Run(name, func(t *testing.T) {
			choose(t)
			before := b.used.Load()
			works(t)
			if b.used.Load() == before {
				t.Error("the engine was reached in another way")
			}
		})
	}
	t.Run("not with DOCKER_HOST", func(t *testing.T) {
		t.Setenv("DOCKER_HOST", "unix://"+engineSocket(t))
		before := b.used.Load()
		host, err := docker.Probe(t.Context())
		if err != nil || b.used.Load() != before || !strings.HasPrefix(host.At, "DOCKER_HOST=unix://") {
			t.Errorf("found %q, %v, by the context %d times", host.At, err, b.used.Load()-before)
		}
	})
	t.Run("not the default", func(t *testing.T) {
		t.Setenv("DOCKER_CONTEXT", "default")
		before := b.used.Load()
		host, err := docker.Probe(t.Context())
		if err != nil || b.used.Load() != before || !strings.Contains(host.At, "usual") {
			t.Errorf("found %q, %v, by the context %d times", host.At, err, b.used.Load()-before)
		}
	})
}

// What is wrong with a context is said with its name, and with what chose it. No
// other engine is used instead.
func TestContextBroken(t *testing.T) {
	dir, tlsDir := dockerConfig(t, "unix:///nowhere/engine.sock")
	meta, err := filepath.Glob(filepath.Join(dir, "contexts", "meta", "*", "meta.json"))
	if err != nil || len(meta) != 1 {
		t.Fatal(meta, err)
	}
	for _, test := range []struct {
		name, context, file, text, want string
	}{
		{"dead", "there", "", "", `nothing answers at unix:///nowhere/engine.sock, where context "there" (from DOCKER_CONTEXT) leads: connect: no such file or directory`},
		{"missing", "elsewhere", "", "", `context "elsewhere" (from DOCKER_CONTEXT): there is none of that name in ` + filepath.Join(dir, "contexts") + `; "docker context ls" lists`},
		{"certificate", "there", filepath.Join(tlsDir, "ca.pem"), "no\n", "ca.pem is no certificate"},
		{"half a pair", "there", filepath.Join(tlsDir, "cert.pem"), "no\n", "cannot be used"},
		{"no engine", "there", meta[0], `{"Endpoints": {"kubernetes": {}}}`, "names no Docker engine"},
		{"no JSON", "there", meta[0], "{", "is not JSON"},
		{"no configuration", "", filepath.Join(dir, "config.json"), "{", "config.json, which may name a context, is not JSON"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Setenv("DOCKER_CONTEXT", test.context)
			if test.file != "" {
				before, readErr := os.ReadFile(test.file)
				write(t, test.file, []byte(test.text))
				defer func() {
					os.Remove(test.file)
					if readErr == nil {
						write(t, test.file, before)
					}
				}()
			}
			_, err := docker.Open(t.Context(), docker.Options{State: t.TempDir()})
			if !errors.Is(err, sandbox.ErrUnavailable) || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got  %v\nwant %s", err, test.want)
			}
		})
	}
}

// fakeSSH puts an ssh on the PATH that logs in to this machine. Its docker command
// is one that knows dial-stdio, and nothing else.
func fakeSSH(t *testing.T) (calls string) {
	t.Helper()
	dir := t.TempDir()
	calls = filepath.Join(dir, "calls")
	script := func(name, text string) {
		write(t, filepath.Join(dir, name), []byte(text))
		if err := os.Chmod(filepath.Join(dir, name), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	script("ssh", `#!/bin/sh
echo "$*" >>"`+calls+`"
while [ "$1" != -- ]; do shift; done
[ "$2" = there ] || { echo "ssh: Could not resolve hostname $2: Name or service not known" >&2; exit 255; }
shift 2
PATH="`+dir+`/there:$PATH" exec sh -c "$*"
`)
	if err := os.Mkdir(filepath.Join(dir, "there"), 0o700); err != nil {
		t.Fatal(err)
	}
	script("there/docker", `#!/bin/sh
socket=`+engineSocket(t)+`
if [ "$1" = --host ]; then socket=${2#unix://}; shift 2; fi
[ "$*" = "system dial-stdio" ] || { echo "docker: unknown command: $*" >&2; exit 1; }
BENCH_TEST_DIAL="$socket" exec "`+os.Args[0]+`" -test.run='^TestSSH$'
`)
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
	return calls
}

func TestSSH(t *testing.T) {
	if socket := os.Getenv("BENCH_TEST_DIAL"); socket != "" {
		dialStdio(socket)
	}
	calls := fakeSSH(t)
	dockerConfig(t, "ssh://someone@there:2222"+engineSocket(t))
	called := func(want string) {
		t.Helper()
		if text, err := os.ReadFile(calls); err != nil || !strings.Contains(string(text), want) {
			t.Errorf("ssh was called with %q, %v; want %q", text, err, want)
		}
	}
	t.Run("DOCKER_HOST", func(t *testing.T) {
		t.Setenv("DOCKER_HOST", "ssh://there")
		works(t)
		called("-T -- there docker system dial-stdio")
	})
	t.Run("context", func(t *testing.T) {
		t.Setenv("DOCKER_CONTEXT", "there")
		works(t)
		called("-l someone -p 2222 -- there docker --host unix://'" + engineSocket(t) + "' system dial-stdio")
	})
	for host, want := range map[string]string{
		"ssh://nowhere":           "nothing answers at DOCKER_HOST=ssh://nowhere: ssh: Could not resolve hostname nowhere: Name or service not known",
		"ssh://there/no/such":     "nothing answers at DOCKER_HOST=ssh://there/no/such: ssh: dial unix /no/such",
		"ssh://me:secret@there":   "cannot be used: ssh takes no password there; use a key",
		"ssh://":                  "cannot be used: it names no host",
		"ssh://there/path?option": "cannot be used: nothing may follow the path",
	} {
		t.Run(host, func(t *testing.T) {
			t.Setenv("DOCKER_HOST", host)
			_, err := docker.Probe(t.Context())
			if !errors.Is(err, sandbox.ErrUnavailable) || !strings.Contains(err.Error(), want) {
				t.Errorf("got  %v\nwant %s", err, want)
			}
		})
	}
	t.Run("no ssh", func(t *testing.T) {
		t.Setenv("DOCKER_HOST", "ssh://there")
		t.Setenv("PATH", t.TempDir())
		_, err := docker.Probe(t.Context())
		if !errors.Is(err, sandbox.ErrUnavailable) || !strings.Contains(err.Error(), `"ssh": executable file not found`) {
			t.Errorf("got %v", err)
		}
	})
}

// dialStdio is "docker system dial-stdio".
func dialStdio(socket string) {
	engine, err := net.Dial("unix", socket)
	if err != nil {
		os.Stderr.WriteString(err.Error() + "\n")
		os.Exit(1)
	}
	go func() {
		io.Copy(engine, os.Stdin)
		engine.(halfCloser).CloseWrite()
	}()
	io.Copy(os.Stdout, engine)
	os.Exit(0)
}

// A context with certificates: the engine behind TLS that wants to know its
// clients.
func TestContextTLS(t *testing.T) {
	ca := newAuthority(t)
	clients := x509.NewCertPool()
	clients.AddCert(ca.cert)
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{
		MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{ca.issue(t, "engine")}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: clients,
	})
	if err != nil {
		t.Fatal(err)
	}
	var b bridge
	b.serve(t, l)
	_, dir := dockerConfig(t, "tcp://"+l.Addr().String())
	t.Setenv("DOCKER_CONTEXT", "there")
	cert := ca.issue(t, "client")
	key, err := x509.MarshalPKCS8PrivateKey(cert.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "ca.pem"), pemOf("CERTIFICATE", ca.cert.Raw))
	write(t, filepath.Join(dir, "cert.pem"), pemOf("CERTIFICATE", cert.Certificate[0]))
	write(t, filepath.Join(dir, "key.pem"), pemOf("PRIVATE KEY", key))
	works(t)
	if b.used.Load() == 0 {
		t.Error("the engine was reached in another way")
	}

	write(t, filepath.Join(dir, "ca.pem"), pemOf("CERTIFICATE", newAuthority(t).cert.Raw))
	if _, err := docker.Probe(t.Context()); !errors.Is(err, sandbox.ErrUnavailable) || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("an engine that nobody vouches for: %v", err)
	}
}

// An authority signs certificates for this machine.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	key := newKey(t)
	template := certificate("authority")
	template.IsCA, template.BasicConstraintsValid, template.KeyUsage = true, true, x509.KeyUsageCertSign
	raw, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(raw)
	if err != nil {
		t.Fatal(err)
	}
	return &authority{cert, key}
}

func (a *authority) issue(t *testing.T, name string) tls.Certificate {
	t.Helper()
	key := newKey(t)
	raw, err := x509.CreateCertificate(rand.Reader, certificate(name), a.cert, key.Public(), a.key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{raw}, PrivateKey: key}
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func certificate(name string) *x509.Certificate {
	return &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
}

func pemOf(kind string, raw []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: raw})
}
