package docker_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path"
	"strings"
	"testing"
)

// A registry serves tiny images to the engine, which takes any on this host for
// one that needs no certificate.
type registry struct {
	host   string
	types  map[string]string // media type by digest
	blobs  map[string][]byte // content by digest
	tagged map[string]string // digest by tag
}

func newRegistry(t *testing.T) *registry {
	t.Helper()
	r := &registry{types: map[string]string{}, blobs: map[string][]byte{}, tagged: map[string]string{}}
	server := httptest.NewServer(http.HandlerFunc(r.serve))
	t.Cleanup(server.Close)
	r.host = strings.TrimPrefix(server.URL, "http://")
	return r
}

func (r *registry) serve(w http.ResponseWriter, req *http.Request) {
	name := path.Base(req.URL.Path)
	if digest, ok := r.tagged[name]; ok {
		name = digest
	}
	content, ok := r.blobs[name]
	switch {
	case req.URL.Path == "/v2/":
	case !ok:
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusNotFound)
		w.Write([]byte(`{"errors": [{"code": "MANIFEST_UNKNOWN", "message": "manifest unknown"}]}`))
	default:
		w.Header().Set("Content-Type", r.types[name])
		w.Header().Set("Docker-Content-Digest", name)
		w.Header().Set("Content-Length", fmt.Sprint(len(content)))
		w.Write(content)
	}
}

// A descriptor points to content.
type descriptor struct {
	MediaType string            `json:"mediaType"`
	Size      int               `json:"size"`
	Digest    string            `json:"digest"`
	Platform  map[string]string `json:"platform,omitempty"`
}

func (r *registry) add(mediaType string, content []byte) descriptor {
	digest := fmt.Sprintf("sha256:%x", sha256.Sum256(content))
	r.types[digest], r.blobs[digest] = mediaType, content
	return descriptor{MediaType: mediaType, Size: len(content), Digest: digest}
}

func (r *registry) addJSON(t *testing.T, mediaType string, value any) descriptor {
	t.Helper()
	text, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return r.add(mediaType, text)
}

const mediaTypes = "application/vnd.docker.distribution.manifest"

// image adds an image of an architecture with a label that tells it from others.
func (r *registry) image(t *testing.T, architecture, label string) descriptor {
	t.Helper()
	var plain, zipped bytes.Buffer
	files := tar.NewWriter(&plain)
	zip := gzip.NewWriter(&zipped)
	if err := files.WriteHeader(&tar.Header{Name: "label", Typeflag: tar.TypeReg}); err != nil {
		t.Fatal(err)
	}
	if err := files.Close(); err != nil {
		t.Fatal(err)
	}
	zip.Write(plain.Bytes())
	zip.Close()
	config := r.addJSON(t, "application/vnd.docker.container.image.v1+json", map[string]any{
		"architecture": architecture, "os": "linux", "config": map[string]any{"Labels": map[string]string{"label": label}},
		"rootfs": map[string]any{"type": "layers", "diff_ids": []string{fmt.Sprintf("sha256:%x", sha256.Sum256(plain.Bytes()))}},
	})
	layer := r.add("application/vnd.docker.image.rootfs.diff.tar.gzip", zipped.Bytes())
	image := r.addJSON(t, mediaTypes+".v2+json", map[string]any{
		"schemaVersion": 2, "mediaType": mediaTypes + ".v2+json", "config": config, "layers": []descriptor{layer},
	})
	image.Platform = map[string]string{"os": "linux", "architecture": architecture}
	return image
}

// list adds images as one that there is for several platforms.
func (r *registry) list(t *testing.T, images ...descriptor) descriptor {
	t.Helper()
	return r.addJSON(t, mediaTypes+".list.v2+json", map[string]any{
		"schemaVersion": 2, "mediaType": mediaTypes + ".list.v2+json", "manifests": images,
	})
}
