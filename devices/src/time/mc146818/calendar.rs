//! Days, months and the forms in which the registers hold them.

use super::spec::{CENTURY, DAY, DAY_OF_WEEK, HOURS, MINUTES, MONTH, SECONDS, YEAR};

const DAY_SECONDS: i64 = 86_400;
/// Alarm registers from here on match everything.
const DONT_CARE: u8 = 0xc0;
const PM: u8 = 0x80;

/// Form of the registers, from register B.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Format {
    pub(super) binary: bool,
    pub(super) hours24: bool,
}

impl Format {
    fn encode(self, n: u8) -> u8 {
        if self.binary { n } else { ((n / 10) << 4) | (n % 10) }
    }

    fn decode(self, n: u8) -> u8 {
        if self.binary { n } else { (n >> 4) * 10 + (n & 0xf) }
    }

    fn encode_hour(self, hour: u8) -> u8 {
        if self.hours24 {
            return self.encode(hour);
        }
        let pm = if hour >= 12 { PM } else { 0 };
        self.encode(if hour.is_multiple_of(12) { 12 } else { hour % 12 }) | pm
    }

    fn decode_hour(self, hour: u8) -> u8 {
        if self.hours24 {
            return self.decode(hour);
        }
        let pm = if hour & PM != 0 { 12 } else { 0 };
        self.decode(hour & !PM) % 12 + pm
    }
}

/// The time registers as the guest sees them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Fields {
    second: u8,
    minute: u8,
    hour: u8,
    day_of_week: u8,
    day: u8,
    month: u8,
    year: u8,
    century: u8,
}

impl Fields {
    /// Those of `time`, in seconds since 1970.
    pub(super) fn of(time: i64, format: Format) -> Fields {
        let (days, second) = (time.div_euclid(DAY_SECONDS), time.rem_euclid(DAY_SECONDS));
        let (year, month, day) = date(days);
        let encode = |n: i64| format.encode(n.rem_euclid(100) as u8);
        Fields {
            second: encode(second % 60),
            minute: encode(second / 60 % 60),
            hour: format.encode_hour((second / 3600) as u8),
            // 1 January 1970 was a Thursday; Sunday is 1.
            day_of_week: encode((days + 4).rem_euclid(7) + 1),
            day: encode(day),
            month: encode(month),
            year: encode(year),
            century: encode(year.div_euclid(100)),
        }
    }

    /// Those that registers hold.
    pub(super) fn from_registers(reg: impl Fn(u8) -> u8) -> Fields {
        Fields {
            second: reg(SECONDS),
            minute: reg(MINUTES),
            hour: reg(HOURS),
            day_of_week: reg(DAY_OF_WEEK),
            day: reg(DAY),
            month: reg(MONTH),
            year: reg(YEAR),
            century: reg(CENTURY),
        }
    }

    /// A register.
    pub(super) fn get(&self, index: u8) -> u8 {
        match index {
            SECONDS => self.second,
            MINUTES => self.minute,
            HOURS => self.hour,
            DAY_OF_WEEK => self.day_of_week,
            DAY => self.day,
            MONTH => self.month,
            YEAR => self.year,
            _ => self.century,
        }
    }

    /// Seconds since 1970. Fields beyond their range carry over, as in the 31st of April.
    pub(super) fn time(&self, format: Format) -> i64 {
        let decode = |n| i64::from(format.decode(n));
        let month = decode(self.month) - 1;
        let year = decode(self.century) * 100 + decode(self.year) + month.div_euclid(12);
        let days = days(year, month.rem_euclid(12) + 1) + decode(self.day) - 1;
        let hour = i64::from(format.decode_hour(self.hour));
        ((days * 24 + hour) * 60 + decode(self.minute)) * 60 + decode(self.second)
    }
}

/// Days from 1970 to the first of a month, in the Gregorian calendar. Years begin in March here, so that the leap day
/// is the last of its year.
fn days(year: i64, month: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let shifted = (month + 9) % 12;
    let in_year = (153 * shifted + 2) / 5;
    365 * year + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400) + in_year - 719_468
}

/// Year, month and day that are `count` days after 1 January 1970.
fn date(count: i64) -> (i64, i64, i64) {
    let mut year = 1970 + (i128::from(count) * 400 / 146_097) as i64;
    while days(year + 1, 1) <= count {
        year += 1;
    }
    while days(year, 1) > count {
        year -= 1;
    }
    let month = (1..=12).rev().find(|&m| days(year, m) <= count).unwrap_or(1);
    (year, month, count - days(year, month) + 1)
}

/// Seconds from `time` to the next moment that matches hours, minutes and seconds of an alarm, at least 1; none if no
/// moment does.
pub(super) fn alarm_in(time: i64, [hour, minute, second]: [u8; 3], format: Format) -> Option<u64> {
    let wanted = |raw: u8, number: u8| (raw < DONT_CARE).then_some(u64::from(number));
    // In the 12-hour form the afternoon's bit is in the way of nothing but a binary don't care.
    let hour = wanted(hour, format.decode_hour(hour));
    let (minute, second) = (wanted(minute, format.decode(minute)), wanted(second, format.decode(second)));
    let from = time.rem_euclid(DAY_SECONDS) as u64;
    let end = from + DAY_SECONDS as u64;
    let mut at = from + 1;
    while at <= end {
        if hour.is_some_and(|h| h != at / 3600 % 24) {
            at = (at / 3600 + 1) * 3600;
        } else if minute.is_some_and(|m| m != at / 60 % 60) {
            at = (at / 60 + 1) * 60;
        } else if second.is_some_and(|s| s != at % 60) {
            at += 1;
        } else {
            return Some(at - from);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    const BCD: Format = Format { binary: false, hours24: true };

    #[test]
    fn dates() {
        assert_eq!(date(0), (1970, 1, 1));
        assert_eq!(date(11_016), (2000, 2, 29));
        assert_eq!(date(-1), (1969, 12, 31));
        for n in (-800_000..800_000).step_by(97) {
            let (year, month, day) = date(n);
            assert_eq!(days(year, month) + day - 1, n);
        }
    }

    #[test]
    fn forms() {
        let f = Fields::of(1_700_000_000, BCD);
        let all = [YEAR, MONTH, DAY, HOURS, MINUTES, SECONDS, DAY_OF_WEEK, CENTURY].map(|i| f.get(i));
        assert_eq!(all, [0x23, 0x11, 0x14, 0x22, 0x13, 0x20, 3, 0x20], "a Tuesday evening");
        let twelve = Format { binary: true, hours24: false };
        for (hour, code) in [(0, 12), (1, 1), (11, 11), (12, 0x8c), (13, 0x81), (23, 0x8b)] {
            assert_eq!(twelve.encode_hour(hour), code);
            assert_eq!(twelve.decode_hour(code), hour);
        }
        for time in [0, 1_700_000_000, 951_782_399, 4_102_444_800] {
            for format in [BCD, twelve] {
                assert_eq!(Fields::of(time, format).time(format), time);
            }
        }
    }

    #[test]
    fn alarms() {
        let at = |h: i64, m: i64, s: i64| (h * 60 + m) * 60 + s;
        assert_eq!(alarm_in(at(7, 59, 58), [0x08, 0, 0], BCD), Some(2));
        assert_eq!(alarm_in(at(8, 0, 0), [0x08, 0, 0], BCD), Some(86_400));
        assert_eq!(alarm_in(at(8, 0, 0), [0xff, 0xff, 0xff], BCD), Some(1));
        assert_eq!(alarm_in(at(23, 59, 30), [0xc0, 0x01, 0x10], BCD), Some(100));
        assert_eq!(alarm_in(0, [0x25, 0, 0], BCD), None);
    }
}
