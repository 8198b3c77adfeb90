package lang

// ParseSize reads a size as benchfiles write it, "512MiB" or "8GB", as bytes.
func ParseSize(s string) (int64, bool) { return parseSize(s) }
