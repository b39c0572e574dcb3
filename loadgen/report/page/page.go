// Package page is the frame of all HTML that loadgen writes: one self-contained
// file, readable on a phone, light or dark as its reader prefers.
//
// What stands in it is made by packages report and capacity.
package page

import (
	"embed"
	"fmt"
	"html/template"
	"io"
)

//go:embed page.html style.css
var files embed.FS

var frame = template.Must(template.ParseFS(files, "page.html"))

// Page is what the frame holds.
type Page struct {
	Title string
	// Kicker stands small above the title, Lede below it.
	Kicker, Lede string
	// Warnings stand before everything else.
	Warnings []string
	Body     template.HTML
}

// Render writes the page.
func (p Page) Render(w io.Writer) error {
	style, err := files.ReadFile("style.css")
	if err != nil {
		return fmt.Errorf("rendering a page: %w", err)
	}
	data := struct {
		Page
		Style template.CSS
	}{p, template.CSS(style)}
	if err := frame.Execute(w, data); err != nil {
		return fmt.Errorf("rendering a page: %w", err)
	}
	return nil
}
