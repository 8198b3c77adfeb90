package wire

import (
	"encoding/json"
	"maps"
)

// SetParams puts parameters of a model into the body of a request, over what the
// agent has there. An object is laid over an object, field by field; everything
// else replaces what was there. The parameters that all families know, and two of
// them under other names, go to where the family has them: temperature, top_p,
// top_k, max_tokens, seed and stop. The error is ErrNotObject. The body itself is
// not changed.
func SetParams(f Family, body []byte, params map[string]json.RawMessage) ([]byte, error) {
	if len(params) == 0 {
		return body, nil
	}
	var request map[string]json.RawMessage
	if json.Unmarshal(body, &request) != nil || request == nil {
		return nil, ErrNotObject
	}
	return json.Marshal(over(request, placed(f, params)))
}

// placed gives parameters the names of a family.
func placed(f Family, params map[string]json.RawMessage) map[string]json.RawMessage {
	out := maps.Clone(params)
	config := map[string]json.RawMessage{}
	for from, to := range paramNames[f] {
		value, ok := params[from]
		if !ok {
			continue
		}
		delete(out, from)
		if f == Google {
			config[to] = value
		} else {
			out[to] = value
		}
	}
	if len(config) > 0 {
		out = over(map[string]json.RawMessage{"generationConfig": inJSON(config)}, out)
	}
	return out
}

// paramNames are names that differ from those of chat completions. Google's are
// fields of generationConfig. Sources: the references of the three APIs.
var paramNames = map[Family]map[string]string{
	Responses: {"max_tokens": "max_output_tokens"},
	Anthropic: {"stop": "stop_sequences"},
	Google: {
		"temperature": "temperature", "top_p": "topP", "top_k": "topK", "max_tokens": "maxOutputTokens", "seed": "seed", "stop": "stopSequences",
	},
}

// over lays the fields of one object over those of another, and objects over
// objects. Neither is used again.
func over(base, top map[string]json.RawMessage) map[string]json.RawMessage {
	for name, value := range top {
		var below, above map[string]json.RawMessage
		if json.Unmarshal(base[name], &below) == nil && json.Unmarshal(value, &above) == nil && below != nil && above != nil {
			value = inJSON(over(below, above))
		}
		base[name] = value
	}
	return base
}
