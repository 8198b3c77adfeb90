package lang

// LooksLikeKey reports whether there is something in a text that looks like a key.
func LooksLikeKey(s string) bool { return len(keysIn(s)) > 0 }
