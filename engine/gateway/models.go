package gateway

import (
	"encoding/json"
	"net/http"
	"slices"

	"github.com/ml-dev-bench/bench/engine/gateway/wire"
)

// models answers which models there are: that of the trial, and what the agent may
// call it. Nobody is asked for that.
func (c *call) models() {
	ids := []string{c.trial.Model.ID}
	for alias := range c.trial.Agent.Aliases {
		ids = append(ids, alias)
	}
	slices.Sort(ids[1:])
	if c.Model != "" {
		if !slices.Contains(ids, c.Model) {
			c.refuse(wire.Refusal{Status: http.StatusNotFound, Code: "model_not_found", Message: "bench: the model of this trial is " + c.trial.Model.ID})
			return
		}
		c.writeJSON(modelShape(c.Family, c.Model))
		return
	}
	var list []any
	for _, id := range ids {
		list = append(list, modelShape(c.Family, id))
	}
	switch c.Family {
	case wire.Google:
		c.writeJSON(map[string]any{"models": list})
	case wire.Anthropic:
		c.writeJSON(map[string]any{"data": list, "has_more": false, "first_id": ids[0], "last_id": ids[len(ids)-1]})
	default:
		c.writeJSON(map[string]any{"object": "list", "data": list})
	}
}

// modelShape is a model as a family describes one. Sources: the references of the
// three APIs for the list of models.
func modelShape(f wire.Family, id string) any {
	switch f {
	case wire.Google:
		return map[string]any{"name": "models/" + id, "displayName": id, "supportedGenerationMethods": []string{"generateContent", "countTokens"}}
	case wire.Anthropic:
		return map[string]any{"type": "model", "id": id, "display_name": id, "created_at": "1970-01-01T00:00:00Z"}
	}
	return map[string]any{"object": "model", "id": id, "created": 0, "owned_by": "bench"}
}

func (c *call) writeJSON(v any) {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err) // maps of texts
	}
	c.w.Header().Set("Content-Type", "application/json")
	_, _ = c.w.Write(text) // who has gone needs no answer
}
