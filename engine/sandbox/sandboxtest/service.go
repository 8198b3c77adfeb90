package sandboxtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/ml-dev-bench/bench/engine"
	"github.com/ml-dev-bench/bench/engine/sandbox"
)

// Services holds a driver that can have services against what package sandbox
// says of them. Beside what Run needs, the image must have bash and perl.
func Services(t *testing.T, d sandbox.Driver, image string) {
	for _, test := range []struct {
		name string
		run  func(t *testing.T, d sandbox.Driver, image string)
	}{
		{"services are there under their names", servedBeside},
		{"sandboxes do not see the services of others", apart},
		{"services reach nothing else", alone},
		{"a service that is never ready", neverReady},
		{"a service that ends before it is ready", endsEarly},
		{"a service that cannot start", cannotStart},
		{"a service that ends later", endsLate},
		{"logs of services are bounded", longLog},
	} {
		t.Run(test.name, func(t *testing.T) { t.Parallel(); test.run(t, d, image) })
	}
}

// Service is a small service, which says a word to whoever connects.
func Service(image, name, word string) sandbox.Service {
	const script = `$| = 1; sleep 1; print "listening\n"; $s = IO::Socket::INET->new(LocalPort => 5432, Listen => 5) or die;
while ($c = $s->accept) { print $c "$ENV{WORD}\n"; print "servedBeside\n"; close $c }`
	return sandbox.Service{Image: image, Service: &engine.Service{
		Name: name, Env: map[string]string{"WORD": word}, Command: []string{"perl", "-MIO::Socket::INET", "-e", script},
		Ready: []string{"bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/5432"}, Timeout: time.Minute,
	}}
}

// scripted is a service of a shell script.
func scripted(image, script string, ready ...string) sandbox.Service {
	s := Service(image, "db", "")
	s.Command, s.Ready = []string{"sh", "-c", script}, ready
	return s
}

func withServices(image string, services ...sandbox.Service) sandbox.Spec {
	spec := Spec(image)
	spec.Services = services
	return spec
}

// hears connects to a service and prints what it says.
func hears(name string) string {
	return fmt.Sprintf(`timeout 10 bash -c 'exec 3<>/dev/tcp/%s/5432 && cat <&3' 2>/dev/null || echo nothing`, name)
}

func servedBeside(t *testing.T, d sandbox.Driver, image string) {
	b := &box{start(t, d, withServices(image, Service(image, "db", "one"), Service(image, "my-cache", "two")))}
	_, out := b.sh(t, hears("db")+"\n"+hears("my-cache"))
	if out != "one\ntwo\n" {
		t.Errorf("got %q", out)
	}
	if exit, _ := b.sh(t, `ps -A 2>/dev/null | grep perl || grep -l perl /proc/[0-9]*/comm`); exit.Code == 0 {
		t.Error("the sandbox has the processes of a service")
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	got := b.Services()
	if len(got) != 2 || got[0].Name != "db" || got[1].Name != "my-cache" {
		t.Fatalf("the services are %+v", got)
	}
	for _, s := range got {
		if s.Exit != nil || !strings.Contains(s.Log, "listening\n") || !strings.Contains(s.Log, "servedBeside\n") {
			t.Errorf("%s: ended %v, printed %q", s.Name, s.Exit, s.Log)
		}
	}
}

func apart(t *testing.T, d sandbox.Driver, image string) {
	one := &box{start(t, d, withServices(image, Service(image, "db", "one")))}
	two := &box{start(t, d, withServices(image, Service(image, "db", "two"), Service(image, "extra", "")))}
	for b, want := range map[*box]string{one: "one\n", two: "two\n"} {
		if _, out := b.sh(t, hears("db")); out != want {
			t.Errorf("got %q, want %q", out, want)
		}
	}
	_, address := two.sh(t, `getent hosts db`)
	address, _, _ = strings.Cut(address, " ")
	if net.ParseIP(address) == nil {
		t.Fatalf("the address is %q", address)
	}
	if _, out := one.sh(t, hears(address)+"\n"+hears("extra")); out != "nothing\nnothing\n" {
		t.Errorf("reached services of another sandbox: %q", out)
	}
}

// alone tries to reach this machine, and names that are known outside.
func alone(t *testing.T, d sandbox.Driver, image string) {
	open, err := net.Listen("tcp4", "0.0.0.0:0")
	if err != nil {
		t.Fatal(err)
	}
	defer open.Close()
	go func() {
		for {
			c, err := open.Accept()
			if err != nil {
				return
			}
			fmt.Fprintln(c, "host")
			c.Close()
		}
	}()
	var hosts []string
	addresses, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range addresses {
		if ip, ok := a.(*net.IPNet); ok && ip.IP.To4() != nil && !ip.IP.IsLoopback() {
			hosts = append(hosts, ip.IP.String())
		}
	}
	// The first address of the network would be the host's.
	script := fmt.Sprintf(`own=$(getent hosts db | cut -d' ' -f1); last=${own##*.}; first=${own%%.*}.$((last / 16 * 16 + 1))
for ip in %s $first; do timeout 5 bash -c "exec 3<>/dev/tcp/$ip/%d && cat <&3" 2>/dev/null; done
grep -v ' lo$' /proc/net/if_inet6 2>/dev/null
for name in %s; do timeout 20 getent hosts $name; done
echo end`, strings.Join(hosts, " "), open.Addr().(*net.TCPAddr).Port, strings.Join(known(t), " "))
	spy := scripted(image, script+"; sleep 1000", "true")
	b := &box{start(t, d, withServices(image, spy))}
	if _, out := b.sh(t, script); out != "end\n" {
		t.Errorf("the sandbox reached %q", out)
	}
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) {
		log := b.Services()[0].Log
		if log == "end\n" {
			return
		}
		if strings.Contains(log, "end\n") || time.Now().After(deadline) {
			t.Fatalf("the service reached %q", log)
		}
	}
}

// known are names that can be looked up from here; there may be none.
func known(t *testing.T) (names []string) {
	for _, name := range []string{"deb.debian.org", "example.org"} {
		if _, err := net.DefaultResolver.LookupHost(t.Context(), name); err == nil {
			names = append(names, name)
		}
	}
	return names
}

// fails starts a sandbox whose service does not come up.
func fails(t *testing.T, d sandbox.Driver, spec sandbox.Spec) *sandbox.ServiceError {
	t.Helper()
	s, err := d.Start(t.Context(), spec)
	if err == nil {
		s.Close()
		t.Fatal("the sandbox started")
	}
	var failed *sandbox.ServiceError
	if !errors.As(err, &failed) || failed.Name != "db" {
		t.Fatalf("got %v, want an error about the service", err)
	}
	return failed
}

func neverReady(t *testing.T, d sandbox.Driver, image string) {
	s := scripted(image, "echo warming up; sleep 1000", "sh", "-c", "echo not yet; exit 3")
	s.Timeout = 2 * time.Second
	err := fails(t, d, withServices(image, s, Service(image, "other", "")))
	want := "service \"db\" was not ready within 2s (its ready command ended with exit status 3: not yet); its log ends with:\nwarming up"
	if err.Error() != want || err.Log != "warming up\n" {
		t.Errorf("got %q, log %q", err, err.Log)
	}
	s = scripted(image, "sleep 1000", "sleep", "1000")
	s.Timeout = time.Second
	want = "service \"db\" was not ready within 1s (its ready command did not end); it printed nothing"
	if err := fails(t, d, withServices(image, s)); err.Error() != want {
		t.Errorf("got %q", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	s.Timeout = time.Minute
	if _, err := d.Start(ctx, withServices(image, s)); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v, want the end of the context", err)
	}
}

func endsEarly(t *testing.T, d sandbox.Driver, image string) {
	err := fails(t, d, withServices(image, scripted(image, "echo no data; exit 4", "false")))
	if want := "service \"db\" ended with exit status 4 before it was ready; its log ends with:\nno data"; err.Error() != want {
		t.Errorf("got %q", err)
	}
}

func cannotStart(t *testing.T, d sandbox.Driver, image string) {
	s := scripted(image, "", "true")
	s.Command = []string{"no-such-command"}
	if err := fails(t, d, withServices(image, s)); !regexp.MustCompile(`^service "db" did not start: .*no-such-command`).MatchString(err.Error()) {
		t.Errorf("got %q", err)
	}
}

// endsLate kills a service, as far as it can be from its network.
func endsLate(t *testing.T, d sandbox.Driver, image string) {
	s := Service(image, "db", "")
	s.Command = []string{"perl", "-MIO::Socket::INET", "-e", `$s = IO::Socket::INET->new(LocalPort => 5432, Listen => 5) or die; $s->accept; $s->accept; print "bye\n"; exit 9`}
	b := &box{start(t, d, withServices(image, s, Service(image, "other", "still here")))}
	b.sh(t, hears("db"))
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		got := b.Services()
		if got[1].Exit != nil {
			t.Fatalf("the other one ended: %+v", got)
		}
		if exit := got[0].Exit; exit != nil {
			if exit.Code != 9 {
				t.Errorf("ended with %d, want 9", exit.Code)
			}
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("it did not end: %+v", got)
		}
	}
	if _, out := b.sh(t, hears("other")); out != "still here\n" {
		t.Errorf("got %q", out)
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	if got := b.Services(); got[0].Log != "bye\n" || got[0].Exit == nil || got[1].Exit != nil {
		t.Errorf("after the end: %+v", got)
	}
}

func longLog(t *testing.T, d sandbox.Driver, image string) {
	s := scripted(image, "echo first; head -c 8m /dev/zero | tr '\\0' x; echo; echo last; touch /done; sleep 1000", "test", "-e", "/done")
	b := start(t, d, withServices(image, s))
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	log := b.Services()[0].Log
	if len(log) > sandbox.ServiceLogLimit+100 || !strings.HasPrefix(log, "first\n") || !strings.HasSuffix(log, "\nlast\n") || !bytes.Contains([]byte(log), []byte("bytes cut here")) {
		t.Errorf("%d bytes are kept, from %.20q", len(log), log)
	}
}
