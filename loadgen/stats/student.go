package stats

import "math"

// studentTail is the two-sided tail of Student's t distribution: the probability
// of a value at least as far from 0 as t, with the given degrees of freedom.
func studentTail(t, freedom float64) float64 {
	return betaRegular(freedom/(freedom+t*t), freedom/2, 0.5)
}

// studentQuantile is the t whose two-sided tail is alpha.
func studentQuantile(alpha, freedom float64) float64 {
	low, high := 0.0, 1.0
	for studentTail(high, freedom) > alpha {
		low, high = high, high*2
	}
	for range 100 { // halvings: more than a float64 has digits
		middle := (low + high) / 2
		if studentTail(middle, freedom) > alpha {
			low = middle
		} else {
			high = middle
		}
	}
	return (low + high) / 2
}

// betaRegular is the regularised incomplete beta function I_x(a, b).
func betaRegular(x, a, b float64) float64 {
	switch {
	case x <= 0:
		return 0
	case x >= 1:
		return 1
	case x > (a+1)/(a+b+2): // where the fraction below converges slowly
		return 1 - betaRegular(1-x, b, a)
	}
	la, _ := math.Lgamma(a)
	lb, _ := math.Lgamma(b)
	lab, _ := math.Lgamma(a + b)
	front := math.Exp(lab - la - lb + a*math.Log(x) + b*math.Log1p(-x))
	return front * betaFraction(x, a, b) / a
}

// betaFraction evaluates the continued fraction of the incomplete beta function
// (DLMF 8.17.22) by Lentz's method.
func betaFraction(x, a, b float64) float64 {
	const tiny, precision, bound = 1e-300, 1e-15, 500
	guard := func(v float64) float64 {
		if math.Abs(v) < tiny {
			return tiny
		}
		return v
	}
	c, d := 1.0, 1/guard(1-(a+b)*x/(a+1))
	h := d
	for i := 1; i <= bound; i++ {
		m := float64(i)
		even := m * (b - m) * x / ((a + 2*m - 1) * (a + 2*m))
		d, c = 1/guard(1+even*d), guard(1+even/c)
		h *= d * c
		odd := -(a + m) * (a + b + m) * x / ((a + 2*m) * (a + 2*m + 1))
		d, c = 1/guard(1+odd*d), guard(1+odd/c)
		h *= d * c
		if math.Abs(d*c-1) < precision {
			break
		}
	}
	return h
}
