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

/// Functions that branch to one of 1,900 places with a thousand variables at hand: sixty kilobytes within every limit of
/// shape, since they have no loop, that take the compiler minutes all the same.
#[must_use]
pub fn slow_bomb() -> String {
    const PLACES: usize = 1_900;
    const LOCALS: usize = 1_000;
    let mut one = String::from("(func (param i32) (result i32)");
    (0..LOCALS).for_each(|local| one.push_str(&format!("(local $l{local} i32)")));
    (0..PLACES).rev().for_each(|place| one.push_str(&format!("(block $b{place} ")));
    one.push_str("(br_table");
    (0..PLACES).for_each(|place| one.push_str(&format!(" $b{place}")));
    one.push_str(" (local.get 0))");
    for place in 0..PLACES {
        let (to, from) = (place % LOCALS, place * 7 % LOCALS);
        one.push_str(&format!(") (local.set $l{to} (i32.mul (local.get $l{from}) (local.get 0)))"));
    }
    one.push_str("(i32.const 0)");
    (0..LOCALS).for_each(|local| one.push_str(&format!("(i32.add (local.get $l{local}))")));
    one.push_str(")\n");
    one.repeat(4)
}
