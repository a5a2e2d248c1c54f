//! Memory addresses in the text that Python prints of an object: `<Plot at 0x7f3a1c2b>`.

/// Hexadecimal digits of an address.
const DIGITS: std::ops::RangeInclusive<usize> = 6..=16;

/// Replaces each address by what `alias` says. Only behind ` at ` within angle brackets, or behind `object at `, is a number an
/// address; any other stays.
pub(super) fn replace_addresses(text: &str, mut alias: impl FnMut(&str) -> String) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    // How many `<` of the line are without their `>`, as far as it has been read, and how much text was left where the next `>`
    // or the end of the line was seen: nothing is read twice.
    let mut depth = 0;
    let mut seen = None;
    while let Some(at) = rest.find(" at 0x") {
        let (before, behind) = rest.split_at(at + " at ".len());
        out.push_str(before);
        depth = depth_behind(depth, before);
        let digits = behind[2..].bytes().take_while(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')).count();
        let (address, next) = behind.split_at(2 + digits);
        let is_whole = !next.starts_with(|next: char| next.is_ascii_alphanumeric());
        let is_in_repr = before.ends_with("object at ") || (depth > 0 && is_closed(next, &mut seen));
        let is_address = DIGITS.contains(&digits) && is_whole && is_in_repr;
        out.push_str(&if is_address { alias(address) } else { address.to_owned() });
        rest = next;
    }
    out.push_str(rest);
    out
}

/// How deep a line is in angle brackets behind a text; an arrow is no bracket.
fn depth_behind(depth: usize, text: &str) -> usize {
    let bytes = text.as_bytes();
    let arrow = |at: usize| at > 0 && bytes[at - 1] == b'-';
    bytes.iter().enumerate().fold(depth, |depth, (at, byte)| match byte {
        b'<' => depth + 1,
        b'>' if !arrow(at) => depth.saturating_sub(1),
        b'\n' => 0,
        _ => depth,
    })
}

/// Whether a bracket closes in the rest of the line. What was seen of it before, counted from the end of the text, still holds.
fn is_closed(rest: &str, seen: &mut Option<(usize, bool)>) -> bool {
    match *seen {
        Some((left, is_closed)) if left <= rest.len() => is_closed,
        _ => {
            let at = rest.find(['>', '\n']);
            let is_closed = at.is_some_and(|at| rest[at..].starts_with('>'));
            *seen = Some((at.map_or(0, |at| rest.len() - at), is_closed));
            is_closed
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expect: &str) {
        let mut seen: Vec<String> = Vec::new();
        let mut alias = |address: &str| {
            let at = seen.iter().position(|known| known == address).unwrap_or_else(|| {
                seen.push(address.to_owned());
                seen.len() - 1
            });
            format!("0x#{}", at + 1)
        };
        let replaced = replace_addresses(text, &mut alias);
        assert_eq!(replaced, expect);
        assert_eq!(replace_addresses(&replaced, alias), replaced, "replaced twice");
    }

    #[test]
    fn an_address_keeps_its_identity_and_loses_its_value() {
        check("<A at 0x7f3a1c> <B at 0x7f3a1d> <A at 0x7f3a1c>", "<A at 0x#1> <B at 0x#2> <A at 0x#1>");
        check("object at 0x7f3a1c2b3d", "object at 0x#1");
    }

    #[test]
    fn what_is_open_stays_open_over_addresses_and_ends_with_the_line() {
        check("<A of B at 0x7f3a1c at 0x7f3a1d>", "<A of B at 0x#1 at 0x#2>");
        check("<A\nb at 0x7f3a1c", "<A\nb at 0x7f3a1c");
    }

    #[test]
    fn a_name_in_angle_brackets_does_not_end_the_text_of_its_object() {
        check("<function <lambda> at 0x7f3a1c2b3d>", "<function <lambda> at 0x#1>");
        check("[<generator object <genexpr> at 0x7f3a1c>]", "[<generator object <genexpr> at 0x#1>]");
        check("<f.<locals>.g at 0x7f3a1c> <h -> <i> at 0x7f3a1d>", "<f.<locals>.g at 0x#1> <h -> <i> at 0x#2>");
    }

    #[test]
    fn a_number_that_is_no_address_stays() {
        for text in
            ["look at 0x7f3a1c", "<A> at 0x7f3a1c", "<A at 0x7f>", "<A at 0x12345678901234567>", "0x7f3a1c", " at 0x"]
        {
            check(text, text);
        }
        for text in
            ["a < b at 0x7f3a1c", "a < b at 0x7f3a1c\n>", "<A at 0x7f3a1cAB>", "<A at 0x7f3a1cg>", "a <= b at 0x7f3a1c"]
        {
            check(text, text);
        }
    }
}
