package translate

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"strings"
)

// A field of an object of JSON.
type field struct {
	name  string
	value json.RawMessage
}

// fieldsOf are the fields of an object in their order, which models see. It is
// false for what is no object.
func fieldsOf(raw json.RawMessage) (out []field, ok bool) {
	d := json.NewDecoder(bytes.NewReader(raw))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return nil, false
	}
	for d.More() {
		var f field
		t, err := d.Token()
		if err != nil || d.Decode(&f.value) != nil {
			return nil, false
		}
		f.name, _ = t.(string)
		out = append(out, f)
	}
	return out, true
}

func objectOf(fields []field) json.RawMessage {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, f := range fields {
		if i > 0 {
			b.WriteByte(',')
		}
		b.Write(marshal(f.name))
		b.WriteByte(':')
		b.Write(f.value)
	}
	b.WriteByte('}')
	return b.Bytes()
}

// maxDepth is how deep schemas nest at most.
const maxDepth = 64

var errDeep = errors.New("the schema is nested more than 64 deep")

// change applies a function to the keywords of a schema and of all schemas in it,
// and keeps their order.
func change(raw json.RawMessage, depth int, f func([]field) []field) (json.RawMessage, error) {
	fields, ok := fieldsOf(raw)
	if !ok {
		return raw, nil // true, false, or what is no schema
	}
	if depth == 0 {
		return nil, errDeep
	}
	for i := range fields {
		var err error
		v := &fields[i].value
		switch fields[i].name {
		case "properties", "patternProperties", "$defs", "definitions", "dependentSchemas":
			named, ok := fieldsOf(*v)
			if !ok {
				continue
			}
			for j := range named {
				if named[j].value, err = change(named[j].value, depth-1, f); err != nil {
					return nil, err
				}
			}
			*v = objectOf(named)
		case "anyOf", "oneOf", "allOf", "prefixItems":
			var list []json.RawMessage
			if json.Unmarshal(*v, &list) != nil {
				continue
			}
			for j := range list {
				if list[j], err = change(list[j], depth-1, f); err != nil {
					return nil, err
				}
			}
			*v = marshal(list)
		case "items", "additionalProperties", "not", "contains", "if", "then", "else", "propertyNames":
			if *v, err = change(*v, depth-1, f); err != nil {
				return nil, err
			}
		}
	}
	return objectOf(f(fields)), nil
}

// jsonSchema makes a JSON Schema of a schema of Google's own kind.
func jsonSchema(r *reader, raw json.RawMessage, field string) json.RawMessage {
	if blank(raw) {
		return nil
	}
	out, err := change(raw, maxDepth, standardKeywords)
	if err != nil {
		r.refuse(field, "%v", err)
	}
	return out
}

// standardKeywords writes types in small letters, numbers as numbers and a null
// as a type.
func standardKeywords(fields []field) (out []field) {
	nullable := slices.ContainsFunc(fields, func(f field) bool { return f.name == "nullable" && string(f.value) == "true" })
	for _, f := range fields {
		switch f.name {
		case "nullable", "propertyOrdering", "example":
			continue
		case "type":
			var kind string
			if json.Unmarshal(f.value, &kind) != nil {
				break
			}
			if kind == "TYPE_UNSPECIFIED" {
				continue
			}
			if f.value = marshal(strings.ToLower(kind)); nullable {
				f.value = marshal([]string{strings.ToLower(kind), "null"})
			}
		case "minItems", "maxItems", "minLength", "maxLength", "minProperties", "maxProperties":
			var digits string
			if json.Unmarshal(f.value, &digits) == nil {
				if n, err := strconv.ParseUint(digits, 10, 63); err == nil {
					f.value = marshal(n)
				}
			}
		}
		out = append(out, f)
	}
	return out
}

// closed is a schema whose objects have no properties but those that it names,
// which Anthropic asks for in answers.
func closed(w *writer, f *format) json.RawMessage {
	out, err := change(f.schema, maxDepth, func(fields []field) []field {
		named := func(name string) int {
			return slices.IndexFunc(fields, func(f field) bool { return f.name == name })
		}
		if named("properties") >= 0 && named("additionalProperties") < 0 {
			fields = append(fields, field{"additionalProperties", json.RawMessage("false")})
		}
		return fields
	})
	if err != nil {
		w.refuse(f.field, "%v", err)
	}
	return out
}
