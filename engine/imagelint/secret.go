package imagelint

import (
	"bytes"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/ml-dev-bench/bench/engine"
	"github.com/ml-dev-bench/bench/engine/keyshape"
	"github.com/ml-dev-bench/bench/engine/sandbox"
)

// privateKey is a whole line that begins a key, and the beginning of a next one
// that is of its kind: programs that handle keys hold the first line alone.
var privateKey = regexp.MustCompile(`(?m)^-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY-----\r?\n(?:[A-Za-z0-9+/=]{40,}|Proc-Type:)`)

// isExample matches where libraries keep keys that open nothing.
var isExample = regexp.MustCompile(`/(tests?|testdata|test_data|certdata|examples?|samples?|docs?)/`)

// keepers are files in which programs keep what others must not know. A reference
// to a variable is no secret.
var keepers = []struct {
	end   string // of the path
	holds *regexp.Regexp
	what  string
}{
	{"/.aws/credentials", regexp.MustCompile(`(?mi)^\s*aws_secret_access_key\s*=\s*[^\s$]`), "a secret key of AWS"},
	{"/.netrc", regexp.MustCompile(`\bpassword\s+[^\s$]`), "a password"},
	{"/.npmrc", regexp.MustCompile(`_authToken\s*=\s*["']?[^\s$"']`), "a token of a registry"},
	{"/.pypirc", regexp.MustCompile(`(?mi)^\s*password\s*[=:]\s*[^\s$]`), "a password of a registry"},
	{"/.docker/config.json", regexp.MustCompile(`"auth"\s*:\s*"[^"]`), "a password of a registry"},
	{"/.git-credentials", regexp.MustCompile(`://[^/\s:@]*:[^/\s@]+@`), "a password of a git server"},
}

// secrets looks for secrets in a small file.
func (s *scan) secrets(name string, text []byte) {
	if bytes.Contains(text, []byte("PRIVATE KEY-----")) && !isExample.MatchString(name) && privateKey.Match(text) {
		s.secretFile("private-key", name, "holds a private key")
	}
	for _, k := range keepers {
		if strings.HasSuffix(name, k.end) && k.holds.Match(text) {
			s.secretFile("credentials", name, "holds "+k.what)
		}
	}
	if names := secretsIn(dotEnv(name, text)); len(names) > 0 {
		s.secretFile("credentials", name, "gives a value to "+strings.Join(names, ", "))
	}
}

func (s *scan) secretFile(rule, name, summary string) {
	s.find(engine.Finding{
		Severity: engine.SeverityWarning, Rule: rule, Path: name, Summary: summary,
		Detail: "Every agent can read it, and send it to its model. Who can pull the image can read it, too.",
		Fix:    "Revoke it, and keep it out of the image: a .dockerignore file, or a secret mount of the build.",
	})
}

// dotEnv is the text of a file of variables, empty if it is none or if it only
// shows how to write one.
func dotEnv(name string, text []byte) string {
	base := path.Base(name)
	kind, ok := strings.CutPrefix(base, ".env")
	if !ok || kind != "" && kind[0] != '.' || slices.Contains([]string{".example", ".sample", ".template", ".dist", ".test"}, path.Ext(kind)) {
		return ""
	}
	return string(text)
}

var (
	assignment = regexp.MustCompile(`\b([A-Za-z][A-Za-z0-9_]*)=("[^"]*"|'[^']*'|[^\s"';&|]*)`)
	secretName = regexp.MustCompile(`(?i)(^|_)(API_?KEY|KEY|TOKEN|SECRET|PASSWORD|PASSWD)$`)
)

// publicNames look like names of secrets. The one here is in every official image
// of Python: who may sign a release.
var publicNames = []string{"GPG_KEY"}

// leastSecret is the shortest value that is taken for a secret, in bytes.
const leastSecret = 8

// secretsIn names the variables whose values, as a text assigns them, look like
// secrets; each once, in order.
func secretsIn(text string) (names []string) {
	for _, m := range assignment.FindAllStringSubmatch(text, -1) {
		if isSecret(m[1], strings.Trim(m[2], `"'`)) && !slices.Contains(names, m[1]) {
			names = append(names, m[1])
		}
	}
	return names
}

func isSecret(name, value string) bool {
	if len(keyshape.Find(value)) > 0 {
		return true
	}
	if !secretName.MatchString(name) || slices.Contains(publicNames, name) || len(value) < leastSecret || strings.ContainsAny(value, "$<>{}") || strings.HasPrefix(value, "/") {
		return false
	}
	low := strings.ToLower(value)
	return !slices.ContainsFunc([]string{"your", "example", "changeme", "placeholder", "dummy"}, func(word string) bool { return strings.Contains(low, word) })
}

// config looks at what an image says of itself.
func (s *scan) config(c sandbox.ImageConfig) {
	if len(c.Entrypoint) > 0 {
		s.find(engine.Finding{
			Severity: engine.SeverityNote, Rule: "entrypoint", Summary: "the image has an ENTRYPOINT, which is not used",
			Detail: "bench starts sandboxes with a command of its own, so what the entry point prepares is not prepared.",
			Fix:    "Do in the Dockerfile what it does, or in the setup of the case.",
		})
	}
	var told []string
	for _, e := range c.Env {
		name, value, _ := strings.Cut(e, "=")
		if isSecret(name, value) {
			told = append(told, name)
			s.secretWord("secret-env", fmt.Sprintf("the environment of the image has %s, which looks like a secret", name),
				"Every program in the sandbox has it, the agent among them.")
		}
	}
	for _, line := range c.History {
		names := secretsIn(line)
		for _, name := range names {
			if !slices.Contains(told, name) {
				told = append(told, name)
				s.secretWord("secret-history", fmt.Sprintf("the history of the image has %s with a value that looks like a secret", name),
					"Build arguments are kept in the image, for all who can pull it.")
			}
		}
		if len(names) == 0 && len(keyshape.Find(line)) > 0 {
			s.secretWord("secret-history", "the history of the image has what looks like a key in a command of the build",
				"The commands of a build are kept in the image, for all who can pull it.")
		}
	}
}

func (s *scan) secretWord(rule, summary, detail string) {
	s.find(engine.Finding{
		Severity: engine.SeverityWarning, Rule: rule, Summary: summary, Detail: detail,
		Fix: "Revoke it, and give it to the build as a secret mount (RUN --mount=type=secret).",
	})
}
