package egress

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
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"
)

// A world has one server, at a public address, and names that lead elsewhere.
type world struct {
	proxy  *httptest.Server
	egress *Proxy
	log    bytes.Buffer
	dialed []netip.AddrPort
}

var names = map[string][]string{
	"allowed.test": {"8.8.8.8"},
	"mixed.test":   {"10.0.0.1", "::1", "8.8.8.8"},
	"loop.test":    {"127.0.0.1", "::1"},
	"meta.test":    {"169.254.169.254"},
	"mapped.test":  {"::ffff:10.0.0.1"},
	"down.test":    {"8.8.4.4"},
}

// newWorld starts a proxy before a server that answers as h.
func newWorld(t *testing.T, h http.Handler) *world {
	t.Helper()
	origin := httptest.NewServer(h)
	t.Cleanup(origin.Close)
	w := &world{}
	o := Options{From: `sandbox "box"`, Log: &w.log, Allow: []string{"Allowed.TEST.", "mixed.test", "loop.test", "meta.test", "mapped.test", "down.test", "lost.test", "8.8.8.8", "::1"}}
	o.Resolve = func(_ context.Context, host string) (out []netip.Addr, err error) {
		for _, a := range names[host] {
			out = append(out, netip.MustParseAddr(a))
		}
		if out == nil {
			err = errors.New("lookup on 10.9.8.7: no such host")
		}
		return out, err
	}
	o.Dial = func(ctx context.Context, to netip.AddrPort) (net.Conn, error) {
		w.dialed = append(w.dialed, to)
		if to.Addr() != netip.MustParseAddr("8.8.8.8") {
			return nil, errors.New("refused by 10.9.8.7")
		}
		return (&net.Dialer{}).DialContext(ctx, "tcp", origin.Listener.Addr().String())
	}
	w.egress = New(o)
	w.proxy = httptest.NewServer(w.egress)
	t.Cleanup(w.proxy.Close)
	return w
}

func (w *world) client() *http.Client {
	at, _ := url.Parse(w.proxy.URL)
	return &http.Client{Transport: &http.Transport{Proxy: http.ProxyURL(at), DisableKeepAlives: true}, Timeout: time.Minute}
}

// raw sends bytes to the proxy, and gives all that comes back.
func (w *world) raw(t *testing.T, text string) string {
	t.Helper()
	c, err := net.Dial("tcp", w.proxy.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(20 * time.Second))
	fmt.Fprint(c, text)
	all, _ := io.ReadAll(c)
	return string(all)
}

// entries closes the proxy, and reads its log.
func (w *world) entries(t *testing.T) (out []*entry) {
	t.Helper()
	w.proxy.Close()
	if err := w.egress.Close(); err != nil {
		t.Fatal(err)
	}
	for d := json.NewDecoder(&w.log); ; {
		e := &entry{}
		if err := d.Decode(e); err != nil {
			return out
		}
		out = append(out, e)
	}
}

func hello(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	fmt.Fprintf(w, "hello %s%s %s %q", r.Host, r.URL, body, r.Header["Proxy-Authorization"])
}

func TestForward(t *testing.T) {
	w := newWorld(t, http.HandlerFunc(hello))
	resp, err := w.client().Post("http://ALLOWED.test/a?b", "", strings.NewReader("body"))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	got, _ := io.ReadAll(resp.Body)
	if want := "hello ALLOWED.test/a?b body []"; resp.StatusCode != 200 || string(got) != want {
		t.Errorf("got %d %q, want %q", resp.StatusCode, got, want)
	}
	all := w.entries(t)
	if len(all) != 1 || all[0].Host != "allowed.test" || all[0].Port != "80" || all[0].Verdict != allowed || all[0].Sent != 4 || all[0].Received != int64(len(got)) {
		t.Errorf("log: %+v", all)
	}
}

func TestConnect(t *testing.T) {
	w := newWorld(t, http.HandlerFunc(hello))
	got := w.raw(t, "CONNECT mixed.test.:443 HTTP/1.1\r\nHost: x\r\n\r\nGET /x HTTP/1.0\r\nHost: inside\r\n\r\n")
	if !strings.HasPrefix(got, "HTTP/1.1 200 Connection established\r\n\r\nHTTP/1.0 200 OK\r\n") || !strings.HasSuffix(got, "hello inside/x  []") {
		t.Errorf("got %q", got)
	}
	if want := netip.MustParseAddrPort("8.8.8.8:443"); len(w.dialed) != 1 || w.dialed[0] != want {
		t.Errorf("dialed %v, want %v alone", w.dialed, want)
	}
	all := w.entries(t)
	if len(all) != 1 || all[0].Host != "mixed.test" || all[0].Port != "443" || all[0].Verdict != allowed || all[0].Sent != 33 || all[0].Received < 50 {
		t.Errorf("log: %+v", all[0])
	}
}

// What is flushed arrives before more is written, and a protocol can be changed.
func TestStreams(t *testing.T) {
	next := make(chan struct{})
	w := newWorld(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Upgrade") != "" {
			c, rw, err := http.NewResponseController(w).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			defer c.Close()
			fmt.Fprint(c, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
			_, _ = io.CopyN(c, rw, 4)
			return
		}
		for i := range 3 {
			fmt.Fprintf(w, "%d\n", i)
			w.(http.Flusher).Flush()
			select {
			case <-next:
			case <-r.Context().Done():
			}
		}
	}))
	resp, err := w.client().Get("http://allowed.test")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	for i, lines := 0, bufio.NewScanner(resp.Body); i < 3; i++ {
		if !lines.Scan() || lines.Text() != fmt.Sprint(i) {
			t.Fatalf("got %q, %v", lines.Text(), lines.Err())
		}
		next <- struct{}{}
	}
	req, _ := http.NewRequest("GET", "http://allowed.test/", nil)
	req.Header.Set("Connection", "Upgrade")
	req.Header.Set("Upgrade", "echo")
	changed, err := w.client().Transport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer changed.Body.Close()
	fmt.Fprint(changed.Body.(io.Writer), "ping")
	if got, err := io.ReadAll(changed.Body); string(got) != "ping" {
		t.Errorf("got %d, %q, %v", changed.StatusCode, got, err)
	}
}

func TestRefused(t *testing.T) {
	for request, want := range map[string]string{
		"CONNECT evil.test:443":                         `"evil.test" is not in allow_hosts of sandbox "box"; if it is meant to be reached, add it there`,
		"GET http://evil.test/":                         `"evil.test" is not in allow_hosts of sandbox "box"; if it is meant to be reached, add it there`,
		"GET http://x.allowed.test/":                    `"x.allowed.test" is not in allow_hosts`,
		"GET http://allowed.test.evil/":                 `"allowed.test.evil" is not in allow_hosts`,
		"GET http://allowed.test%00/":                   "",
		"CONNECT allowed.test:22":                       `allowed.test is reached at ports 80 and 443, and not at "22"`,
		"CONNECT allowed.test:0443":                     `allowed.test is reached at ports 80 and 443`,
		"CONNECT allowed.test":                          `CONNECT needs a port`,
		"GET http://allowed.test:8080/":                 `allowed.test is reached at ports 80 and 443`,
		"GET https://allowed.test/":                     `"https" cannot be fetched for you`,
		"GET ftp://allowed.test/":                       `"ftp" cannot be fetched for you`,
		"GET http://me:pw@allowed.test/":                `a URL with a user in it is not passed on`,
		"GET http://evil.test@meta.test/":               `a URL with a user in it is not passed on`,
		"CONNECT 8.8.8.8:443":                           `hosts are reached by name, and 8.8.8.8 is an address`,
		"CONNECT [::1]:443":                             `hosts are reached by name, and ::1 is an address`,
		"CONNECT [::ffff:127.0.0.1]:443":                `hosts are reached by name, and ::ffff:127.0.0.1 is an address`,
		"CONNECT 2130706433:443":                        `"2130706433" is not in allow_hosts`,
		"GET http://0x7f.1/":                            `"0x7f.1" is not in allow_hosts`,
		"CONNECT loop.test:443":                         `loop.test has no address of the public internet here`,
		"GET http://loop.test/":                         `loop.test has no address of the public internet here`,
		"GET http://meta.test/latest/":                  `meta.test has no address of the public internet here`,
		"CONNECT mapped.test:443":                       `mapped.test has no address of the public internet here`,
		"CONNECT /rpc":                                  "CONNECT needs a port",
		"GET http:///":                                  "",
		"CONNECT " + strings.Repeat("a", 5000) + ":443": `"aaaa`,
	} {
		w := newWorld(t, http.HandlerFunc(hello))
		got := w.raw(t, request+" HTTP/1.1\r\nHost: allowed.test\r\n\r\n")
		status := "HTTP/1.1 403 Forbidden\r\n"
		if want == "" {
			status = "HTTP/1.1 4"
		} else {
			want = "\r\n\r\nbench: " + want
		}
		if !strings.HasPrefix(got, status) || !strings.Contains(got, want) {
			t.Errorf("%.60s: got %.400q, want %q", request, got, want)
		}
		if len(w.dialed) > 0 {
			t.Errorf("%s: dialed %v", request, w.dialed)
		}
		for _, e := range w.entries(t) {
			if e.Verdict != refused || e.Why == "" || len(e.Host) > 255 {
				t.Errorf("%.60s: log: %+v", request, e)
			}
		}
	}
}

// An agent learns that a host does not answer, and nothing of this machine.
func TestFailed(t *testing.T) {
	for _, request := range []string{"CONNECT down.test:443", "GET http://down.test:443/", "CONNECT lost.test:443", "GET http://lost.test:443/"} {
		w := newWorld(t, http.HandlerFunc(hello))
		got := w.raw(t, request+" HTTP/1.1\r\nHost: x\r\n\r\n")
		if !strings.HasPrefix(got, "HTTP/1.1 502 ") || !strings.Contains(got, "does not answer at port 443") || strings.Contains(got, "10.9.8.7") {
			t.Errorf("%s: got %q", request, got)
		}
		if all := w.entries(t); len(all) != 1 || all[0].Verdict != failed || all[0].Received != 0 || !strings.Contains(all[0].Why, "10.9.8.7") {
			t.Errorf("%s: log: %+v", request, all)
		}
	}
}

func TestPublic(t *testing.T) {
	for text, want := range map[string]bool{
		"8.8.8.8": true, "1.1.1.1": true, "100.63.255.255": true, "100.128.0.0": true, "172.15.0.1": true, "172.32.0.1": true, "223.255.255.255": true,
		"2606:4700::1111": true, "2a00:1450:4001::1": true, "2001:4860:4860::8888": true, "::ffff:8.8.8.8": true,
		"0.0.0.0": false, "0.1.2.3": false, "10.1.2.3": false, "100.64.0.1": false, "127.0.0.1": false, "127.255.0.1": false, "169.254.169.254": false,
		"172.16.0.1": false, "172.31.255.255": false, "192.168.1.1": false, "198.18.0.1": false, "224.0.0.1": false, "240.0.0.1": false, "255.255.255.255": false,
		"::": false, "::1": false, "::ffff:127.0.0.1": false, "::ffff:169.254.169.254": false, "::7f00:1": false, "fe80::1": false, "fe80::1%eth0": false,
		"fc00::1": false, "fd00:ec2::254": false, "ff02::1": false, "64:ff9b::7f00:1": false, "2002:7f00:1::": false, "2001::1": false, "2001:db8::1": false,
	} {
		if got := public(netip.MustParseAddr(text)); got != want {
			t.Errorf("%s: got %v", text, got)
		}
	}
	if public(netip.Addr{}) {
		t.Error("no address is public")
	}
}

// The addresses of this machine are among those that are never dialled.
func TestOwnAddrs(t *testing.T) {
	for _, a := range ownAddrs() {
		if a.IsLoopback() {
			return
		}
	}
	t.Errorf("no loopback in %v", ownAddrs())
}

// The log has an end, however many requests there are, and says so.
func TestLogLimit(t *testing.T) {
	var out bytes.Buffer
	j := journal{w: &out}
	for range logLimit + 7 {
		j.end(j.begin())
	}
	if err := j.close(); err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(out.String(), "\n"); n != logLimit+1 || !strings.HasSuffix(out.String(), "\n{\"omitted\":7}\n") {
		t.Errorf("%d lines, at the end %q", n, out.String()[out.Len()-40:])
	}
}

// A log that cannot be written is an error, and not one less request in it.
func TestLogBroken(t *testing.T) {
	j := journal{w: brokenWriter{}}
	j.end(j.begin())
	j.end(j.begin())
	if err := j.close(); !errors.Is(err, io.ErrShortWrite) {
		t.Errorf("got %v", err)
	}
}

type brokenWriter struct{}

func (brokenWriter) Write([]byte) (int, error) { return 0, io.ErrShortWrite }
