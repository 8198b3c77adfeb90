package gateway_test

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/ml-dev-bench/bench/engine"
	"github.com/ml-dev-bench/bench/engine/gateway/wire"
)

// forms are the ways in which a key can stand in a text.
func forms(key string) map[string]string {
	b := []byte(key)
	backwards := slices.Clone(b)
	slices.Reverse(backwards)
	return map[string]string{
		"as it is": key, "backwards": string(backwards), "hex": hex.EncodeToString(b), "HEX": strings.ToUpper(hex.EncodeToString(b)),
		"base64": base64.StdEncoding.EncodeToString(b), "base64 of a header": base64.StdEncoding.EncodeToString([]byte("user:" + key)), "base64 for URLs": base64.RawURLEncoding.EncodeToString(b),
		"URL": url.QueryEscape(key + "/")[:len(key)], "JSON": strings.ReplaceAll(key, "-", `\u002d`), "lines": key[:12] + "\n  " + key[12:],
	}
}

// sees says in which form a text has the key; empty if it has none. Of base64, what
// is the same wherever it begins is looked for.
func sees(text string) string {
	for name, form := range forms(testKey) {
		if strings.HasPrefix(name, "base64") {
			form = form[8 : len(form)-8]
		}
		if strings.Contains(text, form) {
			return name
		}
	}
	return ""
}

// A key goes to the provider, in the header that is for it, and nowhere else: not
// even if the provider tells it to everybody, in any form and place.
func TestCanary(t *testing.T) {
	echo := func(where string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			var told []string
			for _, form := range forms(strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")) {
				told = append(told, strings.ReplaceAll(form, "\n", `\n`))
			}
			text := strings.Join(told, " and ")
			w.Header().Set("X-Request-Id", told[0])
			stream := strings.Contains(string(body), `"stream":true`)
			switch {
			case where == "quiet":
				_, _ = io.WriteString(w, plainChat)
			case where == "error":
				w.WriteHeader(400)
				fmt.Fprintf(w, `{"error":{"message":"do not know %s","code":%q}}`, text, told[1])
			case where == "auth":
				w.WriteHeader(401)
				fmt.Fprintf(w, `{"error":{"message":"do not know %s","code":%q}}`, text, told[1])
			case where == "text" && stream:
				w.Header().Set("Content-Type", "text/event-stream")
				event := strings.Replace(chunkHi, "Hi", text, 1)
				for len(event) > 0 { // in pieces
					n := min(7, len(event))
					_, _ = io.WriteString(w, event[:n])
					_ = http.NewResponseController(w).Flush()
					event = event[n:]
				}
				_, _ = io.WriteString(w, chunkEnd+chunkUse+chunkDone)
			case where == "text":
				_, _ = io.WriteString(w, strings.NewReplacer("Hi there.", text, "served-1", told[2], `"stop"`, `"`+told[3]+`"`).Replace(plainChat))
			case where == "error in a stream":
				w.Header().Set("Content-Type", "text/event-stream")
				_, _ = io.WriteString(w, chunkHi+`data: {"error":{"message":"`+text+`","code":"server_error"}}`+"\n\n")
			case where == "no HTTP":
				conn, _, _ := w.(http.Hijacker).Hijack()
				fmt.Fprintf(conn, "%s\r\n\r\n", told[0])
				conn.Close()
			}
		}
	}
	for _, where := range []string{"quiet", "error", "auth", "text", "error in a stream", "no HTTP"} {
		for _, f := range []wire.Family{wire.OpenAI, wire.Anthropic} {
			for _, stream := range []bool{false, true} {
				for _, mode := range []engine.Mode{engine.ModeLive, engine.ModeRecord} {
					t.Run(fmt.Sprintf("%s/%s/%t/%s", where, f, stream, mode), func(t *testing.T) {
						r := newRig(t, engine.APIOpenAI)
						r.provider.Mode, r.provider.Cassette = mode, "tapes"
						r.options.Timing.Patience = 1
						shown := ""
						answer := echo(where)
						r.live(func(w http.ResponseWriter, q *http.Request) {
							shown = q.Header.Get("Authorization")
							var rest strings.Builder
							for name, values := range q.Header {
								if name != "Authorization" {
									fmt.Fprintln(&rest, name, values)
								}
							}
							if at := sees(rest.String() + q.URL.String()); at != "" || strings.Contains(rest.String()+q.URL.String(), r.session.Token()) {
								t.Errorf("the provider is told more than it has to know: %s", at)
							}
							answer(w, q)
						})
						q, _ := http.NewRequest(http.MethodPost, r.server.URL+askPath(f, stream)+"?key="+r.session.Token(), strings.NewReader(askBody(f, stream, true)))
						for _, name := range []string{"X-Api-Key", "Api-Key", "X-Goog-Api-Key"} {
							q.Header.Set(name, r.session.Token())
						}
						q.Header.Set("Authorization", "Bearer "+r.session.Token())
						var saw strings.Builder
						if a, err := http.DefaultClient.Do(q); err == nil {
							fmt.Fprintln(&saw, a.Header)
							_, _ = io.Copy(&saw, a.Body)
							a.Body.Close()
						}
						use, calls := r.close()
						r.log(saw.String(), use, calls)
						if shown != "Bearer "+testKey {
							t.Errorf("the provider was shown %q", shown)
						}
						what := map[string]string{"the agent": saw.String(), "the trace": r.trace.String(), "the use": fmt.Sprintf("%+v %+v", use, use.Trouble)}
						_ = filepath.WalkDir(r.options.Root, func(path string, _ fs.DirEntry, _ error) error {
							if text, err := os.ReadFile(path); err == nil {
								what[filepath.Base(path)] = string(text)
							}
							return nil
						})
						if mode == engine.ModeRecord && len(what) < 4 && use.Trouble == nil {
							t.Error("nothing was recorded")
						}
						for who, text := range what {
							if at := sees(text); at != "" {
								t.Errorf("%s has the key, %s: %s", who, at, text)
							}
						}
					})
				}
			}
		}
	}
}
