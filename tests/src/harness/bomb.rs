//! Code that is made to cost the compiler its time.

/// Functions of `loops` loops over `locals` variables, all of which are alive to the end. One with ten thousand loops
/// over five thousand variables, a third of a megabyte, takes the compiler a minute.
#[must_use]
pub fn bomb(functions: usize, loops: usize, locals: usize) -> String {
    let mut one = String::from("(func (param i32) (result i32)");
    (0..locals).for_each(|local| one.push_str(&format!("(local $l{local} i32)")));
    for turn in 0..loops {
        let [to, from, end] = [1, 7, 3].map(|factor| turn * factor % locals);
        one.push_str(&format!(
            "(loop $a{turn} (local.set $l{to} (i32.add (local.get $l{from}) (local.get 0)))
             (br_if $a{turn} (i32.eqz (local.get $l{end}))))"
        ));
    }
    one.push_str("(i32.const 0)");
    (0..locals).for_each(|local| one.push_str(&format!("(i32.add (local.get $l{local}))")));
    one.push_str(")\n");
    one.repeat(functions)
}

/// The same within every limit of shape, for about a minute.
#[must_use]
pub fn slow_bomb() -> String {
    bomb(16, 1_900, 2_000)
}
