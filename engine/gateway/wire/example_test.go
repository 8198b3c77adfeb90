package wire_test

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/ml-dev-bench/bench/engine/gateway/wire"
)

// A call is told from its request, passed on under another name, and its answer is
// read while it goes by.
func Example() {
	request := []byte(`{"model": "sonnet", "stream": true, "tools": [{"name": "Bash"}]}`)
	call := wire.Route(http.MethodPost, &url.URL{Path: "/v1/messages"}, nil, request)
	fmt.Println(call.Family, call.Kind, call.Model, call.SideCall())

	sent, err := wire.SetModel(call.Family, request, "claude-sonnet-4-5")
	fmt.Println(string(sent), err)

	answer := "data: {\"message\": {\"model\": \"claude-sonnet-4-5-20250929\", \"usage\": {\"input_tokens\": 400, \"output_tokens\": 1}}}\n\n" +
		"data: {\"delta\": {\"stop_reason\": \"end_turn\"}, \"usage\": {\"output_tokens\": 20}}\n\n"
	fold := wire.NewFolder(call.Family)
	if _, err := io.Copy(io.Discard, io.TeeReader(strings.NewReader(answer), fold)); err != nil {
		fmt.Println(err)
	}
	a := fold.Answer()
	fmt.Println(a.Model, a.Stop, *a.Usage.Input, *a.Usage.Output, *a.Usage.Total(), a.Usage.CacheRead)
	// Output:
	// anthropic completion sonnet false
	// {"model": "claude-sonnet-4-5", "stream": true, "tools": [{"name": "Bash"}]} <nil>
	// claude-sonnet-4-5-20250929 end_turn 400 20 420 <nil>
}
