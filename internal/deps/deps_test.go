package deps

import (
	_ "go.uber.org/goleak"
	_ "pgregory.net/rapid"
)
