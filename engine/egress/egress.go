// Package egress is a forward proxy that lets a sandbox reach some hosts by name,
// and nothing else:
//
//	proxy := egress.New(egress.Options{Allow: []string{"packages.example"}, Log: file})
//	defer proxy.Close()
//
// It answers CONNECT and requests with an absolute URI. A host is reached if its
// name is allowed, its port is 80 or 443, and the address that the name has here
// is one of the public internet; that address is dialled, so a name cannot mean
// one thing when it is looked up and another one when it is used. Names are
// looked up on this side: nothing inside needs DNS, or can use it to say anything.
//
// Bytes of TLS go through as they are. So the proxy knows with which address an
// agent speaks, and not which of the sites at that address it asks for: to allow a
// host is to allow what else is served where it is.
//
// Each request is told in the log with its verdict.
package egress

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// Options say what a proxy lets through.
type Options struct {
	Allow []string // names of hosts, in ASCII; compared without regard to case
	From  string   // who is let through, for messages: `sandbox "box"`
	Log   io.Writer

	// Resolve gives the addresses of a host, and Dial connects to one that is
	// public. With nil, the system does both. They are for tests.
	Resolve func(ctx context.Context, host string) ([]netip.Addr, error)
	Dial    func(ctx context.Context, to netip.AddrPort) (net.Conn, error)
}

// A Proxy is an http.Handler.
type Proxy struct {
	options   Options
	allow     []string
	log       journal
	transport *http.Transport
	forward   *httputil.ReverseProxy
}

// dialTime bounds how long it takes to find a host and to connect to it.
const dialTime = 30 * time.Second

// New makes a proxy. Whoever made it closes it.
func New(o Options) *Proxy {
	if o.Resolve == nil {
		o.Resolve = func(ctx context.Context, host string) ([]netip.Addr, error) {
			return net.DefaultResolver.LookupNetIP(ctx, "ip", host)
		}
	}
	if o.Dial == nil {
		o.Dial = func(ctx context.Context, to netip.AddrPort) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "tcp", to.String())
		}
	}
	p := &Proxy{options: o, log: journal{w: o.Log}}
	for _, host := range o.Allow {
		p.allow = append(p.allow, canonical(host))
	}
	p.transport = &http.Transport{
		DialContext: func(ctx context.Context, _, addr string) (net.Conn, error) {
			host, port, err := net.SplitHostPort(addr)
			if err != nil {
				return nil, err
			}
			return p.dial(ctx, canonical(host), port)
		},
		DisableCompression: true, MaxIdleConnsPerHost: 16, IdleConnTimeout: time.Minute,
	}
	p.forward = &httputil.ReverseProxy{
		Rewrite:       func(*httputil.ProxyRequest) {}, // what is between a client and its proxy is taken out anyway
		Transport:     p.transport,
		FlushInterval: -1,
		ErrorLog:      log.New(io.Discard, "", 0),
		ErrorHandler:  func(w http.ResponseWriter, r *http.Request, err error) { note(r).fail(w, err) },
	}
	return p
}

// Close ends the log. No request may be under way. The error is that of writing
// the log, if there was one.
func (p *Proxy) Close() error {
	p.transport.CloseIdleConnections()
	return p.log.close()
}

// ForProxy reports whether a request is one for a proxy, rather than for the
// server that it was sent to.
func ForProxy(r *http.Request) bool { return r.Method == http.MethodConnect || r.URL.IsAbs() }

// ServeHTTP answers a request for a proxy.
func (p *Proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	e := p.log.begin()
	defer p.log.end(e)
	r = r.WithContext(context.WithValue(r.Context(), entryKey{}, e))
	host, port, err := target(r)
	e.Host, e.Port = host, port
	if err == nil {
		err = p.permit(host, port)
	}
	switch {
	case err != nil:
		e.fail(w, err)
	case r.Method == http.MethodConnect:
		p.connect(w, r, e)
	default:
		r.Body = &counted{r.Body, &e.up}
		p.forward.ServeHTTP(&counting{w, e}, r)
	}
}

// A refusal is a request that is against the rules.
type refusal struct{ why string }

func (r *refusal) Error() string { return r.why }

func refuse(format string, args ...any) error { return &refusal{fmt.Sprintf(format, args...)} }

// target is the host and port that a request is for.
func target(r *http.Request) (host, port string, err error) {
	u := r.URL
	host, port = u.Hostname(), u.Port()
	switch {
	case r.Method == http.MethodConnect:
		if port == "" {
			err = refuse("CONNECT needs a port, as in %s:443", host)
		}
	case u.Scheme != "http":
		err = refuse("%q cannot be fetched for you; ask for https with CONNECT", u.Scheme)
	case port == "":
		port = "80"
	}
	if u.User != nil {
		err = refuse("a URL with a user in it is not passed on; put it into a header")
	}
	return canonical(host), port, err
}

// canonical is a host as all who mean it write it.
func canonical(host string) string { return strings.ToLower(strings.TrimSuffix(host, ".")) }

// permit reports an error unless a host may be reached at a port.
func (p *Proxy) permit(host, port string) error {
	if _, err := netip.ParseAddr(host); err == nil {
		return refuse("hosts are reached by name, and %s is an address", host)
	}
	if !slices.Contains(p.allow, host) {
		return refuse("%s is not in allow_hosts of %s; if it is meant to be reached, add it there", quote(host), p.options.From)
	}
	if port != "80" && port != "443" {
		return refuse("%s is reached at ports 80 and 443, and not at %s", host, quote(port))
	}
	return nil
}

// quote makes whatever an agent wrote fit for a message.
func quote(s string) string { return fmt.Sprintf("%q", short(s)) }

// short bounds what is kept of a name. No real one is longer.
func short(s string) string { return s[:min(len(s), 255)] }

// dial connects to a host that may be reached.
func (p *Proxy) dial(ctx context.Context, host, port string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, dialTime)
	defer cancel()
	found, err := p.options.Resolve(ctx, host)
	if err != nil {
		return nil, err
	}
	own := ownAddrs()
	last := refuse("%s has no address of the public internet here, and no other is reached", host)
	for _, addr := range found {
		addr = addr.Unmap()
		if !public(addr) || slices.Contains(own, addr) {
			continue
		}
		to, err := netip.ParseAddrPort(net.JoinHostPort(addr.String(), port))
		if err != nil {
			return nil, err
		}
		conn, err := p.options.Dial(ctx, to)
		if err == nil {
			return conn, nil
		}
		last = err
	}
	return nil, last
}

// connect carries bytes between a client and a host.
func (p *Proxy) connect(w http.ResponseWriter, r *http.Request, e *entry) {
	up, err := p.dial(r.Context(), e.Host, e.Port)
	if err != nil {
		e.fail(w, err)
		return
	}
	defer up.Close()
	stop := context.AfterFunc(r.Context(), func() { up.Close() })
	defer stop()
	down, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		e.fail(w, err)
		return
	}
	defer down.Close()
	if _, err := io.WriteString(down, "HTTP/1.1 200 Connection established\r\n\r\n"); err != nil {
		return
	}
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		_, _ = io.Copy(&tally{up, &e.up}, buffered.Reader)
		if half, ok := up.(interface{ CloseWrite() error }); ok {
			_ = half.CloseWrite()
		}
		_ = up.SetReadDeadline(time.Now().Add(farewell))
	}()
	_, _ = io.Copy(&tally{down, &e.down}, up)
	down.Close()
	_ = down.SetReadDeadline(time.Now()) // the client may have more to say, to nobody
	<-sent
}

// farewell is how long a host may go on speaking to a client that has nothing more
// to say, and which may be gone.
const farewell = time.Minute

// fail answers a request that was refused, or could not be carried out. What this
// machine knows of the latter is for the log alone.
func (e *entry) fail(w http.ResponseWriter, err error) {
	e.Verdict, e.Why = failed, err.Error()
	text, status := fmt.Sprintf("%s does not answer at port %s", e.Host, e.Port), http.StatusBadGateway
	if r, ok := errors.AsType[*refusal](err); ok {
		e.Verdict, text, status = refused, r.why, http.StatusForbidden
	}
	if c, ok := w.(*counting); ok {
		w = c.ResponseWriter // it is not the host that answers
	}
	w.Header().Set("Connection", "close") // what was to go through it must not be taken for a request
	http.Error(w, "bench: "+text, status)
}
