;; A behavior with one input and one output that does in every row what `contain.rs` puts into $misdeed.
;;
;; Memory: a text from 16, the result area at 1,024, a heap from 64 KiB that is emptied after every call.
(module
  (import "geminus:behavior/log@0.1.0" "write" (func $log (param i32 i32 i32)))
  (memory (export "memory") 400)
  (global $heap (mut i32) (i32.const 65536))

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
    (i32.const 1024))
  (func (export "geminus:behavior/behavior@0.1.0#forecast") (param i32 i32 i32 i32 i32) (result i32) (call $nothing))
  (func (export "geminus:behavior/behavior@0.1.0#snapshot") (param i32 i32 i32 i32) (result i32) (call $nothing))
  (func (export "geminus:behavior/behavior@0.1.0#restore") (param i32 i32 i32 i32 i32 i32 i32) (result i32)
    (call $nothing))
  (func (export "geminus:behavior/behavior@0.1.0#close") (param i32 i32))
  (export "cabi_post_geminus:behavior/behavior@0.1.0#step" (func $done)))
