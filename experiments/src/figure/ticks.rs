//! Numbers as axes show them.

/// `950`, `2.5k`, `100k`, `1M`; small ones with what digits they need: `0.25`, `3e-4`.
pub fn short(x: f64) -> String {
    let units = [(1e9, "G"), (1e6, "M"), (1e3, "k")];
    // 999999.99 is a million that was not computed exactly.
    let unit = units.iter().find(|(size, _)| x.abs() >= size * (1.0 - 1e-9));
    match unit {
        Some((size, letter)) => format!("{}{letter}", digits(x / size)),
        None if x != 0.0 && x.abs() < 1e-3 => {
            let text = format!("{x:.2e}");
            let (value, exponent) = text.split_once('e').unwrap_or((&text, "0"));
            format!("{}e{exponent}", without_zeros(value))
        }
        None => digits(x),
    }
}

/// Three decimals, or as many as three digits take, and no zeros behind them.
fn digits(x: f64) -> String {
    let decimals = if (1e-3..0.1).contains(&x.abs()) { 2.0 - x.abs().log10().floor() } else { 3.0 };
    let decimals = decimals as usize;
    let text = format!("{x:.decimals$}");
    let text = without_zeros(&text);
    (if text == "-0" { "0" } else { text }).to_owned()
}

fn without_zeros(number: &str) -> &str {
    number.trim_end_matches('0').trim_end_matches('.')
}

/// The unit in which a time of `seconds` is read best, and the seconds in one.
pub fn time_unit(seconds: f64) -> (&'static str, f64) {
    match seconds {
        s if s < 300.0 => ("s", 1.0),
        s if s < 3.0 * 3600.0 => ("min", 60.0),
        _ => ("h", 3600.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short() {
        let want = [
            (0.0, "0"),
            (-0.0, "0"),
            (950.0, "950"),
            (-200.0, "-200"),
            (1500.0, "1.5k"),
            (100_000.0, "100k"),
            (999_999.999_999, "1M"),
            (2_500_000.0, "2.5M"),
            (0.25, "0.25"),
            (0.000_3, "3e-4"),
            (0.000_105, "1.05e-4"),
            (0.001, "0.001"),
            (0.001_05, "0.00105"),
            (0.0125, "0.0125"),
            (0.1 + 0.2, "0.3"),
        ];
        for (x, text) in want {
            assert_eq!(short(x), text);
        }
    }

    #[test]
    fn times_have_units() {
        assert_eq!(time_unit(40.0), ("s", 1.0));
        assert_eq!(time_unit(3600.0), ("min", 60.0));
        assert_eq!(time_unit(86_400.0), ("h", 3600.0));
    }
}
