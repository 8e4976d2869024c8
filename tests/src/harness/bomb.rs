//! Code that is made to cost the compiler its time.

/// A function: ten thousand loops over five thousand variables, all of them alive to the end: a third of a megabyte that takes
/// the compiler a minute.
#[must_use]
pub fn bomb() -> String {
    const LOOPS: usize = 10_000;
    const LOCALS: usize = 5_000;
    let mut text = String::from("(func (export \"bomb\") (param i32) (result i32)");
    let mut put = |part: std::fmt::Arguments<'_>| text.push_str(&part.to_string());
    (0..LOCALS).for_each(|local| put(format_args!("(local $l{local} i32)")));
    for turn in 0..LOOPS {
        let [to, from, end] = [1, 7, 3].map(|factor| turn * factor % LOCALS);
        put(format_args!(
            "(loop $a{turn} (local.set $l{to} (i32.add (local.get $l{from}) (local.get 0)))
             (br_if $a{turn} (i32.eqz (local.get $l{end}))))"
        ));
    }
    put(format_args!("(i32.const 0)"));
    (0..LOCALS).for_each(|local| put(format_args!("(i32.add (local.get $l{local}))")));
    text.push(')');
    text
}
