// Package resident gives back memory that only the start of the program needed: the pages
// of its own file that hold tables (types, positions in functions) and constants. Starting
// visits nearly all of them, and the kernel maps at least 16 pages for each one that is
// touched; a server at rest needs some per cent. What is given back stays in the page
// cache, from which the kernel may now take it, and is mapped again, without reading the
// disk, when it is needed.
//
// What does not live here: the heap, which is the runtime's (debug.FreeOSMemory).
package resident
