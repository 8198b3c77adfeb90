package mask_test

import (
	"encoding/base64"
	"math/rand/v2"
	"testing"

	"github.com/ml-dev-bench/bench/engine/gateway/mask"
)

// A text without a secret is not copied, and one with some is not written to.
func TestBytesLeavesTheText(t *testing.T) {
	m := newMasker(t, "sk-canary-5f1c9b7e02d84a")
	text := []byte("nothing is in here, not even sk-canary-5f1c9b7e02d84")
	if got := m.Bytes(text); &got[0] != &text[0] || len(got) != len(text) {
		t.Errorf("%q", got)
	}
	text = []byte("a sk-canary-5f1c9b7e02d84a, a sk-canary-5f1c9b7e02d84a and more")
	before := string(text)
	if got, want := string(m.Bytes(text)), "a [secret n0], a [secret n0] and more"; got != want || string(text) != before {
		t.Errorf("%q of %q", got, text)
	}
}

// A request of 200 kB in which there is no secret.
func BenchmarkBytes(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 1))
	text := logText(r, 200<<10)
	none, err := mask.New()
	if err != nil {
		b.Fatal(err)
	}
	for name, m := range map[string]*mask.Masker{"no secrets": none, "one": newMasker(b, "sk-"+base64.RawURLEncoding.EncodeToString([]byte("0f4b1c77a9e3d2586e")))} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			for b.Loop() {
				if len(m.Bytes(text)) != len(text) {
					b.Fatal("it was changed")
				}
			}
		})
	}
}
