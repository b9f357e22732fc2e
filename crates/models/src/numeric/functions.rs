//! NumPy's functions of one value, by their names.

/// The function of NumPy of this name. Nothing of NumPy's is called: the name chooses one of ours.
pub(crate) fn named(name: &str) -> Option<fn(f64) -> f64> {
    let function: fn(f64) -> f64 = match name {
        "log1p" => libm::log1p,
        "expm1" => libm::expm1,
        "log" => f64::ln,
        "log2" => f64::log2,
        "log10" => f64::log10,
        "exp" => f64::exp,
        "sqrt" => f64::sqrt,
        "cbrt" => f64::cbrt,
        "square" => |x| x * x,
        "abs" | "absolute" | "fabs" => f64::abs,
        "negative" => |x| -x,
        "reciprocal" => |x| 1.0 / x,
        "sign" => |x| if x == 0.0 || x.is_nan() { x } else { x.signum() },
        "sin" => f64::sin,
        "cos" => f64::cos,
        "tanh" => f64::tanh,
        "arctan" => f64::atan,
        "arcsinh" => f64::asinh,
        "floor" => f64::floor,
        "ceil" => f64::ceil,
        "rint" => f64::round_ties_even,
        _ => return None,
    };
    Some(function)
}
