//! Memory addresses in the text that Python prints of an object: `<Plot at 0x7f3a1c2b>`.

/// Hexadecimal digits of an address.
const DIGITS: std::ops::RangeInclusive<usize> = 6..=16;

/// Replaces each address by what `alias` says. Only behind ` at ` within angle brackets, or behind `object at `, is a number an
/// address; any other stays.
pub(super) fn replace_addresses(text: &str, mut alias: impl FnMut(&str) -> String) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    // Whether the line has a `<` without its `>`, as far as it has been read: nothing is read twice.
    let mut is_open = false;
    while let Some(at) = rest.find(" at 0x") {
        let (before, behind) = rest.split_at(at + " at ".len());
        out.push_str(before);
        is_open = opens(before).unwrap_or(is_open);
        let digits = behind[2..].bytes().take_while(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')).count();
        let (address, next) = behind.split_at(2 + digits);
        let is_in_repr = is_open || before.ends_with("object at ");
        let is_address = DIGITS.contains(&digits) && is_in_repr;
        out.push_str(&if is_address { alias(address) } else { address.to_owned() });
        rest = next;
    }
    out.push_str(rest);
    out
}

/// Whether a text leaves an object's text open; nothing where it says neither.
fn opens(text: &str) -> Option<bool> {
    text.rfind(['<', '>', '\n']).map(|at| text[at..].starts_with('<'))
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
    fn a_number_that_is_no_address_stays() {
        for text in
            ["look at 0x7f3a1c", "<A> at 0x7f3a1c", "<A at 0x7f>", "<A at 0x12345678901234567>", "0x7f3a1c", " at 0x"]
        {
            check(text, text);
        }
    }
}
