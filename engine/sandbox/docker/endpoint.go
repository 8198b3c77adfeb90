package docker

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"

	"github.com/moby/moby/client"
)

// An endpoint is an address at which an engine may be.
type endpoint struct {
	host string // "unix:///var/run/docker.sock", "tcp://10.0.0.7:2376", "ssh://user@host"
	name string // with what says so, for people
	tls  *tls.Config
	env  bool // DOCKER_CERT_PATH and DOCKER_TLS_VERIFY are about it
	ssh  *sshDialer
}

// endpoints are those that the environment means. Only of the usual sockets there
// can be more than one; there is always one.
func endpoints() ([]*endpoint, error) {
	if host := os.Getenv(client.EnvOverrideHost); host != "" {
		return []*endpoint{{host: host, name: "DOCKER_HOST=" + host, env: true}}, nil
	}
	name, from, err := currentContext()
	if err != nil {
		return nil, err
	}
	if name != "" && name != "default" {
		e, err := contextEndpoint(name)
		if err != nil {
			return nil, fmt.Errorf("context %q (from %s): %w", name, from, err)
		}
		e.name = fmt.Sprintf("%s, where context %q (from %s) leads", e.host, name, from)
		return []*endpoint{e}, nil
	}
	return usualSockets(), nil
}

// usualSockets are those that exist, or the one that should.
func usualSockets() []*endpoint {
	var out []*endpoint
	for _, path := range socketPaths() {
		if _, err := os.Stat(path); err == nil {
			out = append(out, &endpoint{host: "unix://" + path, name: "unix://" + path + ", the usual socket", env: true})
		}
	}
	if len(out) == 0 {
		out = append(out, &endpoint{host: client.DefaultDockerHost, name: client.DefaultDockerHost + ", the usual address", env: true})
	}
	return out
}

// socketPaths are where engines listen, that of the system first.
func socketPaths() []string {
	if runtime.GOOS == "windows" {
		return nil
	}
	paths := []string{"/var/run/docker.sock"}
	if dir := os.Getenv("XDG_RUNTIME_DIR"); dir != "" {
		paths = append(paths, filepath.Join(dir, "docker.sock"))
	}
	if home, err := os.UserHomeDir(); err == nil {
		paths = append(paths, filepath.Join(home, ".docker/run/docker.sock"), filepath.Join(home, ".docker/desktop/docker.sock"))
	}
	return append(paths, "/run/user/"+strconv.Itoa(os.Getuid())+"/docker.sock")
}

// configDir is where the docker command has its configuration; empty if nowhere.
func configDir() string {
	if dir := os.Getenv("DOCKER_CONFIG"); dir != "" {
		return dir
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return ""
	}
	return filepath.Join(home, ".docker")
}

// currentContext is the name of the context that the docker command would use,
// and what says so; empty if nothing does.
func currentContext() (name, from string, err error) {
	if name := os.Getenv("DOCKER_CONTEXT"); name != "" {
		return name, "DOCKER_CONTEXT", nil
	}
	file := filepath.Join(configDir(), "config.json")
	text, err := os.ReadFile(file)
	if err != nil {
		return "", "", nil //nolint:nilerr // whoever has no configuration, or none that can be read, has chosen no context
	}
	var config struct{ CurrentContext string }
	if err := json.Unmarshal(text, &config); err != nil {
		return "", "", fmt.Errorf("%s, which may name a context, is not JSON: %w; correct it, or set DOCKER_HOST", file, err)
	}
	return config.CurrentContext, file, nil
}

// contextEndpoint is where a context of the docker command leads.
func contextEndpoint(name string) (*endpoint, error) {
	sum := sha256.Sum256([]byte(name))
	id := hex.EncodeToString(sum[:])
	all := filepath.Join(configDir(), "contexts")
	file := filepath.Join(all, "meta", id, "meta.json")
	text, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf(`there is none of that name in %s; "docker context ls" lists those that there are`, all)
	}
	if err != nil {
		return nil, err
	}
	var meta struct {
		Endpoints map[string]struct {
			Host          string
			SkipTLSVerify bool
		}
	}
	if err := json.Unmarshal(text, &meta); err != nil {
		return nil, fmt.Errorf("%s is not JSON: %w; make the context again", file, err)
	}
	to, ok := meta.Endpoints["docker"]
	if !ok || to.Host == "" {
		return nil, fmt.Errorf("%s names no Docker engine; choose another context", file)
	}
	e := &endpoint{host: to.Host}
	e.tls, err = contextTLS(filepath.Join(all, "tls", id, "docker"), to.SkipTLSVerify)
	return e, err
}

// contextTLS reads the certificates of a context. Without any, and where the
// engine's is to be verified, there is no TLS.
func contextTLS(dir string, skipVerify bool) (*tls.Config, error) {
	read := func(name string) []byte {
		text, _ := os.ReadFile(filepath.Join(dir, name)) // what is missing is not wanted, or found out below
		return text
	}
	ca, cert, key := read("ca.pem"), read("cert.pem"), read("key.pem")
	if ca == nil && cert == nil && key == nil && !skipVerify {
		return nil, nil
	}
	config := &tls.Config{MinVersion: tls.VersionTLS12, InsecureSkipVerify: skipVerify} //nolint:gosec // the context says so
	if ca != nil {
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(ca) {
			return nil, fmt.Errorf("%s is no certificate", filepath.Join(dir, "ca.pem"))
		}
	}
	if cert == nil && key == nil {
		return config, nil
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return nil, fmt.Errorf("cert.pem and key.pem of %s cannot be used: %w", dir, err)
	}
	config.Certificates = []tls.Certificate{pair}
	return config, nil
}

// client makes a client, which does not connect yet.
func (e *endpoint) client() (*client.Client, error) {
	options := []client.Opt{client.WithAPIVersionFromEnv()}
	switch {
	case strings.HasPrefix(e.host, "ssh://"):
		var err error
		if e.ssh, err = newSSHDialer(e.host); err != nil {
			return nil, err
		}
		// Nothing looks for this path, and no proxy is asked for it.
		return client.New(append(options, client.WithHost("unix:///ssh"), client.WithDialContext(e.ssh.dial))...)
	case e.env:
		options = append(options, client.WithTLSClientConfigFromEnv())
	case e.tls != nil:
		options = append(options, client.WithHTTPClient(&http.Client{Transport: &http.Transport{TLSClientConfig: e.tls}, CheckRedirect: client.CheckRedirect}))
	}
	return client.New(append(options, client.WithHost(e.host))...)
}

// reason is why an engine does not answer, without the advice that the client
// wraps around it.
func (e *endpoint) reason(err error) error {
	if e.ssh != nil {
		return e.ssh.reason(err)
	}
	var op *net.OpError
	if errors.As(err, &op) && op.Op == "dial" {
		return op.Err
	}
	return err
}
