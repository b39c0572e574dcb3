package config

// Dev is the former name of Config.
type Dev = Config

// LoadDev is Load for dev.
func LoadDev(src Sources) (c Config, warnings []string, err error) {
	l, err := Load(ModeDev, src)
	return l.Config, l.Warnings, err
}
