//! The change against what is kept.

use super::kept::Kept;
use std::collections::BTreeSet;
use std::fmt;

/// A change of more than so many percent is worth a look. Runs of the same build differ by less.
const MARKED: f64 = 3.0;

/// What a reader is told.
pub(super) struct Report<'a> {
    kept: &'a Kept,
    now: &'a Kept,
}

impl<'a> Report<'a> {
    pub(super) fn of(kept: &'a Kept, now: &'a Kept) -> Report<'a> {
        Report { kept, now }
    }

    /// What the figures were made with, where that was something else than here.
    fn differences(&self) -> Vec<String> {
        let (kept, now) = (&self.kept.made_with, &self.now.made_with);
        let all: BTreeSet<&String> = kept.keys().chain(now.keys()).collect();
        let which = |of: Option<&String>| match of.map(String::as_str) {
            None | Some("") => "none".to_owned(),
            Some(which) => which.to_owned(),
        };
        all.into_iter()
            .map(|what| (what, which(kept.get(what)), which(now.get(what))))
            .filter(|(_, kept, now)| kept != now)
            .map(|(what, kept, now)| format!("{what}: kept with {kept}, now {now}"))
            .collect()
    }
}

impl fmt::Display for Report<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "instructions a message  {:>10} {:>10} {:>9}", "kept", "now", "change")?;
        let (kept, now) = (&self.kept.instructions, &self.now.instructions);
        let paths: BTreeSet<&String> = kept.keys().chain(now.keys()).collect();
        let mut marked = 0;
        for path in paths {
            let show =
                |each: Option<&f64>| each.map_or("–".to_owned(), |each| format!("{each:.1}"));
            let (before, after) = (kept.get(path), now.get(path));
            let (change, remark) = match (before, after) {
                (Some(before), Some(after)) => {
                    let change = (after - before) / before * 100.0;
                    let remark = match change {
                        more if more > MARKED => "<-- MORE",
                        less if less < -MARKED => "<-- less",
                        _ => "",
                    };
                    (format!("{change:+.1} %"), remark)
                }
                (None, _) => (String::new(), "<-- not kept yet"),
                (_, None) => (String::new(), "<-- not there any more"),
            };
            marked += usize::from(!remark.is_empty());
            let (before, after) = (show(before), show(after));
            writeln!(f, "{path:<23} {before:>10} {after:>10} {change:>9} {remark}")?;
        }
        for difference in self.differences() {
            writeln!(f, "not made with the same: {difference}")?;
        }
        match marked {
            0 => write!(f, "no path has changed by more than {MARKED} %"),
            _ => write!(
                f,
                "{marked} marked, for a change of more than {MARKED} %: if that is meant, keep the new \
                 figures by `cargo xtask bench --guard --update`"
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(rustc: &str, figures: &[(&str, f64)]) -> Kept {
        Kept {
            made_with: [("rustc".to_owned(), rustc.to_owned())].into(),
            instructions: figures.iter().map(|(path, each)| ((*path).to_owned(), *each)).collect(),
        }
    }

    fn said(before: &Kept, after: &Kept) -> String {
        Report::of(before, after).to_string()
    }

    #[test]
    fn only_what_changed_much_is_marked() {
        let before = kept("1", &[("append", 100.0), ("fetch", 100.0), ("decode", 100.0)]);
        let after = kept("1", &[("append", 103.0), ("fetch", 103.2), ("decode", 90.0)]);
        let said = said(&before, &after);
        let line = |path: &str| said.lines().find(|line| line.starts_with(path)).unwrap();
        assert!(line("append").trim_end().ends_with("+3.0 %"), "{said}");
        assert!(line("fetch").ends_with("+3.2 % <-- MORE"), "{said}");
        assert!(line("decode").ends_with("-10.0 % <-- less"), "{said}");
        assert!(said.contains("2 marked") && !said.contains("not made with"), "{said}");
    }

    #[test]
    fn what_cannot_be_compared_is_named() {
        let before = kept("1", &[("old", 1.0)]);
        let after = kept("2", &[("new", 2.0)]);
        let said = said(&before, &after);
        assert!(said.contains("not kept yet") && said.contains("not there any more"), "{said}");
        assert!(said.contains("rustc: kept with 1, now 2"), "{said}");
    }

    #[test]
    fn nothing_new_is_said_to_be_so() {
        let same = kept("1", &[("append", 7.0)]);
        assert!(said(&same, &same).ends_with("no path has changed by more than 3 %"));
    }
}
