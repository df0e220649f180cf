//! The monitor's arithmetic: 64-bit, C's operators and precedence, `$name` for a register.

/// Evaluates all of `text`. `register` answers for names.
pub fn evaluate(text: &str, register: &dyn Fn(&str) -> Option<u64>) -> Result<u64, String> {
    let mut parser = Parser { rest: text.trim(), register, depth: 0 };
    let value = parser.binary(0)?;
    match parser.rest.trim_start() {
        "" => Ok(value),
        rest => Err(format!("'{rest}' was not expected in '{}'", text.trim())),
    }
}

/// Operators by precedence, weakest first.
const LEVELS: &[&[&str]] = &[&["|"], &["^"], &["&"], &["<<", ">>"], &["+", "-"], &["*", "/", "%"]];
/// Parentheses and signs in one another at most.
const DEPTH: u32 = 64;

struct Parser<'a> {
    rest: &'a str,
    register: &'a dyn Fn(&str) -> Option<u64>,
    depth: u32,
}

impl Parser<'_> {
    fn eat(&mut self, token: &str) -> bool {
        match self.rest.trim_start().strip_prefix(token) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn binary(&mut self, level: usize) -> Result<u64, String> {
        let Some(operators) = LEVELS.get(level) else { return self.unary() };
        let mut a = self.binary(level + 1)?;
        while let Some(op) = operators.iter().copied().find(|op| self.eat(op)) {
            let b = self.binary(level + 1)?;
            a = match op {
                "|" => a | b,
                "^" => a ^ b,
                "&" => a & b,
                "<<" => a.checked_shl(u32::try_from(b).unwrap_or(64)).unwrap_or(0),
                ">>" => a.checked_shr(u32::try_from(b).unwrap_or(64)).unwrap_or(0),
                "+" => a.wrapping_add(b),
                "-" => a.wrapping_sub(b),
                "*" => a.wrapping_mul(b),
                "/" => a.checked_div(b).ok_or("division by zero")?,
                _ => a.checked_rem(b).ok_or("division by zero")?,
            };
        }
        Ok(a)
    }

    fn unary(&mut self) -> Result<u64, String> {
        self.depth += 1;
        if self.depth > DEPTH {
            return Err("the expression is nested too deeply".into());
        }
        let value = if self.eat("-") {
            self.unary()?.wrapping_neg()
        } else if self.eat("+") {
            self.unary()?
        } else if self.eat("~") {
            !self.unary()?
        } else if self.eat("(") {
            let value = self.binary(0)?;
            if !self.eat(")") {
                return Err("')' is missing".into());
            }
            value
        } else {
            self.primary()?
        };
        self.depth -= 1;
        Ok(value)
    }

    fn primary(&mut self) -> Result<u64, String> {
        let is_register = self.eat("$");
        let text = self.rest.trim_start();
        let end = text.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(text.len());
        let (word, rest) = text.split_at(end);
        self.rest = rest;
        if is_register {
            return (self.register)(word).ok_or_else(|| format!("unknown register '${word}'"));
        }
        if word.is_empty() {
            return Err(match rest.chars().next() {
                Some(c) => format!("'{c}' was not expected; give a number or $register"),
                None => "a number or $register is missing".into(),
            });
        }
        crate::cli::number::parse_u64(word)
            .ok_or_else(|| format!("'{word}' is no number; registers are written ${word}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn eval(text: &str) -> Result<u64, String> {
        evaluate(text, &|name| (name == "pc").then_some(0x4000_0000))
    }

    #[test]
    fn precedence_and_registers() {
        assert_eq!(eval("1+2*3"), Ok(7));
        assert_eq!(eval("(1+2)*3"), Ok(9));
        assert_eq!(eval("$pc + 0x10 & ~0xf | 1"), Ok(0x4000_0011));
        assert_eq!(eval("1<<4 - 1"), Ok(8));
        assert_eq!(eval("-1"), Ok(u64::MAX));
        assert_eq!(eval("1 << 64"), Ok(0));
    }

    #[test]
    fn mistakes_are_errors() {
        for bad in ["", "1+", "1 2", "(1", "$x0", "1/0", "1%0", "foo", "1)", "é", "0xg"] {
            assert!(eval(bad).is_err(), "{bad}");
        }
        assert!(eval(&"(".repeat(100_000)).is_err());
        assert!(eval(&"-".repeat(100_000)).is_err());
    }
}
