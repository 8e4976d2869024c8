//! What people write where UCUM has another code: offered in the message, never taken silently.

use super::ucum_from_dtdl;

/// ", write …" for a common other spelling, else nothing.
pub(super) fn hint(code: &str) -> String {
    const SPELLINGS: &[(&str, &str)] = &[
        ("°C", "Cel"),
        ("degC", "Cel"),
        ("celsius", "Cel"),
        ("°F", "[degF]"),
        ("degF", "[degF]"),
        ("rpm", "/min"),
        ("RPM", "/min"),
        ("psi", "[psi]"),
        ("sec", "s"),
        ("hr", "h"),
        ("Nm", "N.m"),
        ("Ω", "Ohm"),
        ("ohm", "Ohm"),
        ("°", "deg"),
        ("µm", "um"),
        ("percent", "%"),
        ("m³/h", "m3/h"),
        ("l/m", "L/min"),
        ("lpm", "L/min"),
        ("hp", "[HP]"),
        ("in", "[in_i]"),
        ("ft", "[ft_i]"),
        ("lb", "[lb_av]"),
    ];
    if code.is_empty() {
        return ", write \"1\" for a plain number".to_owned();
    }
    let ucum = ucum_from_dtdl(code)
        .or_else(|| SPELLINGS.iter().find(|(written, _)| *written == code).map(|(_, ucum)| *ucum));
    ucum.map_or_else(String::new, |ucum| format!(", write \"{ucum}\""))
}
