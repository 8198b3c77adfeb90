package wire

import "bytes"

// A UsageFilter takes the chunk that AskUsage asked for out of a stream of chat
// completions, for an agent that did not ask for it: some read the first choice of
// each chunk without looking whether there is one. Every other byte goes on as it
// is, and as soon as it has come, but that a line of data is held until it ends.
//
//	var filter wire.UsageFilter
//	for chunk := range chunks {
//		w.Write(filter.Next(nil, chunk))
//	}
//	w.Write(filter.Rest(nil))
//
// The zero value is ready. It is for one answer, and for one goroutine at a time.
type UsageFilter struct {
	line     []byte // held: it may be the chunk
	passing  bool   // the rest of this line goes on
	dropped  bool   // the line before was taken out, so an empty one behind it is too
	returned byte   // what became of a \r that was the last byte: 0, or one of the below
}

// What becomes of the \n behind a \r, which ends the same line.
const (
	goesOn  = 'g'
	goesOut = 'o'
)

// longestUsage bounds the line that is taken for the chunk, in bytes. A provider
// that sends longer lines with usage sends more than that in them.
const longestUsage = 64 << 10

// Next appends to dst what goes on of the next piece of the answer, of any size.
func (u *UsageFilter) Next(dst, piece []byte) []byte {
	for _, c := range piece {
		dst = u.take(dst, c)
	}
	return dst
}

// Rest appends to dst what goes on at the end of the answer.
func (u *UsageFilter) Rest(dst []byte) []byte {
	if !isUsage(u.line) {
		dst = append(dst, u.line...)
	}
	u.line = nil
	return dst
}

func (u *UsageFilter) take(dst []byte, c byte) []byte {
	returned := u.returned
	u.returned = 0
	if c == '\n' && returned != 0 {
		if returned == goesOn {
			dst = append(dst, c)
		}
		return dst
	}
	if c == '\n' || c == '\r' {
		return u.endLine(dst, c)
	}
	if u.passing {
		return append(dst, c)
	}
	u.line = append(u.line, c)
	if n := min(len(u.line), len(dataPrefix)); len(u.line) > longestUsage || string(u.line[:n]) != dataPrefix[:n] {
		return u.pass(dst)
	}
	return dst
}

const dataPrefix = dataField + ":"

// pass lets go on what is held, and the rest of the line.
func (u *UsageFilter) pass(dst []byte) []byte {
	dst = append(dst, u.line...)
	u.line, u.passing = u.line[:0], true
	return dst
}

func (u *UsageFilter) endLine(dst []byte, c byte) []byte {
	empty := len(u.line) == 0 && !u.passing
	goes := !isUsage(u.line)
	if empty && u.dropped {
		goes = false
	}
	fate := byte(goesOut)
	if goes {
		fate = goesOn
		dst = append(append(dst, u.line...), c)
	}
	if c == '\r' {
		u.returned = fate
	}
	u.dropped = !goes && !empty
	u.line, u.passing = u.line[:0], false
	return dst
}

// isUsage reports whether a line is a chunk with usage and without a choice. Source:
// OpenAI's reference of stream_options: before "data: [DONE]" comes a chunk whose
// choices are an empty array, and whose usage is that of the whole request.
func isUsage(line []byte) bool {
	data, ok := bytes.CutPrefix(line, []byte(dataPrefix))
	if !ok || !bytes.Contains(data, []byte(`"usage"`)) {
		return false
	}
	all, err := fields(data)
	if err != nil {
		return false
	}
	usage, choices := false, false
	for _, f := range all {
		value := data[f.from:f.to]
		switch f.name {
		case "usage":
			usage = value[0] == '{'
		case "choices":
			choices = hasElements(value)
		case "error":
			return false
		}
	}
	return usage && !choices
}
