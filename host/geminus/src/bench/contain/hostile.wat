;; A behavior with one input and one output that does in every row what `guests.rs` puts into $misdeed, and into its answer.
;;
;; Memory: a text from 16, the result area at 1,024, values from 4,096, alerts from 12,288, a heap from 65,536 that is
;; emptied after every call of step, state from 131,072. The result area of step: 1,024 whether it is a fault, then
;; pointer and length of values at 1,028, of quality at 1,036, of alerts at 1,044, of proposals at 1,052.
(module
  (import "geminus:behavior/log@0.1.0" "write" (func $log (param i32 i32 i32)))
  (memory (export "memory") 400)
  (table $table 1 funcref)
  (global $heap (mut i32) (i32.const 65536))
  (global $state (mut i32) (i32.const 0))

  (func (export "cabi_realloc") (param i32 i32) (param $align i32) (param $size i32) (result i32)
    (local $at i32)
    (local.set $at (i32.and
      (i32.add (global.get $heap) (i32.sub (local.get $align) (i32.const 1)))
      (i32.sub (i32.const 0) (local.get $align))))
    (global.set $heap (i32.add (local.get $at) (local.get $size)))
    (local.get $at))
  (func $done (param i32) (global.set $heap (i32.const 65536)))

  (func $nothing (result i32)
    (memory.fill (i32.const 1024) (i32.const 0) (i32.const 64))
    (i32.const 1024))
  (func $deep (param $n i32) (result i32)
    (i32.add (i32.const 1) (call $deep (i32.add (local.get $n) (i32.const 1)))))
  ;; So many alerts for the first row, each with 500 bytes of words; all is zero already but those.
  (func $alerts (param $count i32)
    (local $n i32)
    (loop $on
      (i32.store (i32.add (i32.const 12304) (i32.mul (local.get $n) (i32.const 24))) (i32.const 16))
      (i32.store (i32.add (i32.const 12308) (i32.mul (local.get $n) (i32.const 24))) (i32.const 500))
      (local.set $n (i32.add (local.get $n) (i32.const 1)))
      (br_if $on (i32.lt_u (local.get $n) (local.get $count))))
    (i32.store (i32.const 1044) (i32.const 12288))
    (i32.store (i32.const 1048) (local.get $count)))
  (func $misdeed
    (local $n i32)
    {{misdeed}})

  (func (export "geminus:behavior/behavior@0.1.0#open") (param i32 i32) (result i32) (call $nothing))
  ;; As many zeros as rows.
  (func (export "geminus:behavior/behavior@0.1.0#step")
    (param i32) (param $rows i32) (param i32 i32 i32 i32 i32 i32) (param i32 i32 i32 i32 i32 i32 i32 i32)
    (result i32)
    (call $misdeed)
    (drop (call $nothing))
    (i32.store (i32.const 1028) (i32.const 4096))
    (i32.store (i32.const 1032) (local.get $rows))
    {{answer}}
    (i32.const 1024))
  (func (export "geminus:behavior/behavior@0.1.0#forecast") (param i32 i32 i32 i32 i32) (result i32) (call $nothing))
  ;; One slot's state: so many zeros as $state says.
  (func (export "geminus:behavior/behavior@0.1.0#snapshot") (param $slots i32) (param i32 i32 i32) (result i32)
    (drop (call $nothing))
    (i32.store (i32.const 1028) (i32.const 1))
    (i32.store (i32.const 1032) (local.get $slots))
    (i32.store (i32.const 1036) (i32.const 1))
    (i32.store (i32.const 1040) (i32.const 131072))
    (i32.store (i32.const 1044) (global.get $state))
    (i32.store (i32.const 2048) (global.get $state))
    (i32.store (i32.const 1048) (i32.const 2048))
    (i32.store (i32.const 1052) (i32.const 1))
    (i32.const 1024))
  (func (export "geminus:behavior/behavior@0.1.0#restore") (param i32 i32 i32 i32 i32 i32 i32) (result i32)
    (call $nothing))
  (func (export "geminus:behavior/behavior@0.1.0#close") (param i32 i32))
  (export "cabi_post_geminus:behavior/behavior@0.1.0#step" (func $done)))
