package docker

import (
	"context"
	"net"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/moby/moby/client"
	tc "github.com/testcontainers/testcontainers-go"
	tclog "github.com/testcontainers/testcontainers-go/log"
)

// newProvider lets testcontainers-go work through a client of ours.
func newProvider(c client.APIClient) (*tc.DockerProvider, error) {
	if err := tame(); err != nil {
		return nil, err
	}
	provider, err := tc.NewDockerProvider(tc.WithLogger(quiet{}), tc.WithDefaultBridgeNetwork("bridge"))
	if err != nil {
		return nil, err
	}
	provider.SetClient(c)
	return provider, nil
}

// tame keeps the library from looking for an engine by rules of its own, which
// know neither contexts nor ssh, and from starting a container that cleans up.
// What it insists on asking an engine, once a process, a decoy answers.
var tame = sync.OnceValue(func() error {
	tclog.SetDefault(quiet{})
	// There is no other way to say this, and the library reads it only once.
	for name, value := range map[string]string{"TESTCONTAINERS_RYUK_DISABLED": "true", "TESTCONTAINERS_PROVIDER": "bench"} {
		if err := os.Setenv(name, value); err != nil {
			return err
		}
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	decoy := &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte("{}"))
	})}
	go func() { _ = decoy.Serve(listener) }()
	defer decoy.Close()
	if err := tc.RegisterProvider("bench", func() tc.RuntimeProvider { return at(listener.Addr().String()) }); err != nil {
		return err
	}
	provider, err := tc.NewDockerProvider(tc.WithLogger(quiet{}))
	if err != nil {
		return err
	}
	return provider.Close()
})

// An at is an address that the library takes for that of an engine.
type at string

// Initialize says what the library would otherwise go and find out.
func (a at) Initialize(context.Context) (tc.RuntimeConfig, error) {
	return tc.RuntimeConfig{DockerHost: "tcp://" + string(a), DockerSocketPath: "none", DefaultBridgeNetwork: "bridge"}, nil
}

type quiet struct{}

func (quiet) Printf(string, ...any) {}
