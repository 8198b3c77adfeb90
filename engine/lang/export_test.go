package lang

import "github.com/ml-dev-bench/bench/engine/keyshape"

// LooksLikeKey reports whether there is something in a text that looks like a key.
func LooksLikeKey(s string) bool { return len(keyshape.Find(s)) > 0 }
