package gql

import "strings"

// The library is stricter with variables than GraphQL and the reference. It checks those of all
// operations of a text, although only one is executed and has its variables in the request, and
// it takes no default of a variable that cannot be null. Where only variables are wrong, the
// text is relaxed and tried once more.

// relax returns a text with only the operation of a name, if it has one, and the fragments
// that this one needs, in which variables with a default may be null; the rest is blank, so
// that places within the text stay. ok is false if there is nothing to relax.
func relax(text, name string) (relaxed string, ok bool) {
	all := definitions(text)
	keep, chosen := needed(all, name)
	out := []byte(text)
	for i, d := range all {
		for at := d.from; at < d.to && chosen && !keep[i]; at++ {
			if out[at] != '\n' && out[at] != '\r' {
				out[at], ok = ' ', true
			}
		}
		for _, at := range d.required {
			out[at], ok = ' ', true
		}
	}
	return string(out), ok
}

// ignored may stand between any two words.
const ignored = " \t\r\n,"

// definition is an operation or a fragment of a text.
type definition struct {
	fragment bool
	name     string
	from, to int // bytes of the text
	spreads  []string
	// required are the places of the ! of variables with a default.
	required []int
}

// needed says which definitions the operation of a name needs; ok is false if there is none.
func needed(all []definition, name string) (keep []bool, ok bool) {
	fragments := map[string]int{}
	chosen := -1
	for i, d := range all {
		if d.fragment {
			fragments[d.name] = i
		} else if d.name == name && name != "" {
			chosen = i
		}
	}
	keep = make([]bool, len(all))
	if chosen < 0 {
		return keep, false
	}
	keep[chosen] = true
	for next := []int{chosen}; len(next) > 0; next = next[1:] {
		for _, spread := range all[next[0]].spreads {
			if i, known := fragments[spread]; known && !keep[i] {
				keep[i] = true
				next = append(next, i)
			}
		}
	}
	return keep, true
}

// definitions finds the definitions of a text that has been parsed.
func definitions(text string) (out []definition) {
	depth, begun, head := 0, false, false // head is before a definition's selection
	for i := 0; i < len(text); {
		size := 1
		switch c := text[i]; {
		case c == '#':
			size = untilLine(text[i:])
		case c == '"':
			size = stringSize(text[i:])
		case strings.IndexByte("({[", c) >= 0:
			if !begun {
				out, begun = append(out, definition{from: i}), true // an operation that is only a selection
			}
			head = head && (depth > 0 || c != '{')
			depth++
		case strings.IndexByte(")}]", c) >= 0:
			if depth--; depth == 0 && c == '}' && begun {
				out[len(out)-1].to, begun = i+1, false
			}
		case c == '!' && head && depth == 1 && strings.HasPrefix(strings.TrimLeft(text[i+1:], ignored), "="):
			out[len(out)-1].required = append(out[len(out)-1].required, i)
		case strings.HasPrefix(text[i:], "..."):
			rest := strings.TrimLeft(text[i+3:], ignored)
			if name := nameOf(rest); name != "" && name != "on" && begun {
				d := &out[len(out)-1]
				d.spreads = append(d.spreads, name)
			}
			size = 3
		case nameOf(text[i:]) != "":
			word := nameOf(text[i:])
			size = len(word)
			if !begun {
				out, begun, head = append(out, definition{from: i, fragment: word == "fragment"}), true, word != "fragment"
				out[len(out)-1].name = nameOf(strings.TrimLeft(text[i+size:], ignored))
			}
		}
		i += size
	}
	if begun {
		return nil // it has no end
	}
	return out
}

// nameOf is the name with which a text begins; empty if there is none.
func nameOf(text string) string {
	n := 0
	for n < len(text) && (text[n] == '_' || text[n]|0x20 >= 'a' && text[n]|0x20 <= 'z' || n > 0 && text[n] >= '0' && text[n] <= '9') {
		n++
	}
	return text[:n]
}

func untilLine(text string) int {
	if n := strings.IndexAny(text, "\r\n"); n >= 0 {
		return n
	}
	return len(text)
}

// stringSize is the size of the string or block string with which a text begins.
func stringSize(text string) int {
	const block = `"""`
	quote := `"`
	if strings.HasPrefix(text, block) {
		quote = block
	}
	for i := len(quote); i < len(text); i++ {
		switch {
		case strings.HasPrefix(text[i:], `\"""`) && quote == block:
			i += len(block)
		case text[i] == '\\' && quote != block:
			i++
		case strings.HasPrefix(text[i:], quote):
			return i + len(quote)
		}
	}
	return len(text)
}
