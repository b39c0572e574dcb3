package gql

import (
	"embed"
	"fmt"
	"io/fs"
	"strings"
)

//go:embed schema/*.graphql
var schemaFiles embed.FS

// schemaText is the whole schema: the reference's (spec 02 §9.2), and what is marked in it
// as not the reference's.
func schemaText() string {
	var b strings.Builder
	err := fs.WalkDir(schemaFiles, "schema", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := schemaFiles.ReadFile(path)
		b.Write(text)
		b.WriteByte('\n')
		return err //nolint:wrapcheck // names the file
	})
	if err != nil {
		panic(fmt.Sprintf("gql: the embedded schema: %v", err))
	}
	return b.String()
}
