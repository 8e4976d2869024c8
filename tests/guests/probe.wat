;; A behavior that adds up its inputs, and misbehaves on request. See README.md beside this file.
;;
;; Memory: texts from 16, the result area at 1,024, slots from 64 KiB (32 bytes each: sum, count, mode, open, flag),
;; a bump heap from 1 MiB that is emptied after every call.
(module
  (import "geminus:behavior/log@{{contract}}" "write" (func $log (param i32 i32 i32)))
  (import "geminus:behavior/lookups@{{contract}}" "read"
    (func $read (param i32 i32 i64 i64 i32 i32)))
  {{import}}
  (memory (export "memory") 32)
  (table $table 1 funcref)
  (data (i32.const 16) "bad state")
  (data (i32.const 32) "/m")
  (data (i32.const 48) "not this value")
  (data (i32.const 64) "no such row")
  (global $heap (mut i32) (i32.const 1048576))
  (global $schema i32 (i32.const {{schema}}))

  (func $alloc (param $align i32) (param $size i32) (result i32)
    (local $at i32)
    (local.set $at (i32.and
      (i32.add (global.get $heap) (i32.sub (local.get $align) (i32.const 1)))
      (i32.sub (i32.const 0) (local.get $align))))
    (global.set $heap (i32.add (local.get $at) (local.get $size)))
    (block $enough
      (loop $more
        (br_if $enough (i32.le_u (global.get $heap) (i32.shl (memory.size) (i32.const 16))))
        (if (i32.eq (memory.grow (i32.const 16)) (i32.const -1)) (then unreachable))
        (br $more)))
    (local.get $at))
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
    (call $alloc (local.get 2) (local.get 3)))
  (func $done (global.set $heap (i32.const 1048576)))
  (func $done_result (param i32) (call $done))

  (func $record (param $slot i32) (result i32)
    (i32.add (i32.const 65536) (i32.shl (local.get $slot) (i32.const 5))))
  ;; The record of a slot that must be open.
  (func $opened (param $slot i32) (result i32)
    (local $rec i32)
    (local.set $rec (call $record (local.get $slot)))
    (if (i32.eqz (i32.load offset=20 (local.get $rec))) (then unreachable))
    (local.get $rec))
  (func $is (param $rec i32) (param $mode i32) (result i32)
    (i32.eq (i32.load offset=16 (local.get $rec)) (local.get $mode)))

  (func $ok (result i32) (i32.store8 (i32.const 1024) (i32.const 0)) (i32.const 1024))
  ;; A fault with one string: 1 state, 3 not-declared, 4 other.
  (func $fault (param $variant i32) (param $text i32) (param $bytes i32) (result i32)
    (i32.store8 (i32.const 1024) (i32.const 1))
    (i32.store8 (i32.const 1028) (local.get $variant))
    (i32.store (i32.const 1032) (local.get $text))
    (i32.store (i32.const 1036) (local.get $bytes))
    (i32.const 1024))

  (func (export "geminus:behavior/behavior@{{contract}}#open") (param $at i32) (param $n i32) (result i32)
    (local $i i32) (local $o i32) (local $mode i32) (local $rec i32)
    ;; All or nothing: look for a refusal first.
    (block $checked (loop $check
      (br_if $checked (i32.ge_u (local.get $i) (local.get $n)))
      (local.set $mode (i32.load8_u offset=6 (i32.load offset=12
        (i32.add (local.get $at) (i32.shl (local.get $i) (i32.const 5))))))
      (if (i32.eq (local.get $mode) (i32.const 111)) (then unreachable)) ;; o
      (if (i32.eq (local.get $mode) (i32.const 112)) (then ;; p
        (i32.store8 (i32.const 1024) (i32.const 1))
        (i32.store8 (i32.const 1028) (i32.const 0))
        (i32.store (i32.const 1032) (i32.const 32)) (i32.store (i32.const 1036) (i32.const 2))
        (i32.store (i32.const 1040) (i32.const 48)) (i32.store (i32.const 1044) (i32.const 14))
        (return (i32.const 1024))))
      (local.set $i (i32.add (local.get $i) (i32.const 1)))
      (br $check)))
    (local.set $i (i32.const 0))
    (block $end (loop $next
      (br_if $end (i32.ge_u (local.get $i) (local.get $n)))
      (local.set $o (i32.add (local.get $at) (i32.shl (local.get $i) (i32.const 5))))
      (local.set $rec (call $record (i32.load (local.get $o))))
      (if (i32.load offset=20 (local.get $rec)) (then unreachable)) ;; opened twice
      (f64.store (local.get $rec) (f64.const 0))
      (f64.store offset=8 (local.get $rec) (f64.const 0))
      (i32.store offset=16 (local.get $rec) (i32.load8_u offset=6 (i32.load offset=12 (local.get $o))))
      (i32.store offset=20 (local.get $rec) (i32.const 1))
      (i32.store offset=24 (local.get $rec) (i32.const 0))
      (local.set $i (i32.add (local.get $i) (i32.const 1)))
      (br $next)))
    (call $ok))

  (func $recurse (param i32) (result i32)
    (i32.add (i32.const 1) (call $recurse (i32.add (local.get 0) (i32.const 1)))))

  ;; Memory of this many bytes after the heap, asked for in one go.
  (func $claim (param $bytes i32)
    (if (i32.eq (memory.grow (i32.shr_u (local.get $bytes) (i32.const 16))) (i32.const -1)) (then unreachable)))

  ;; Alerts of row $row: list at 1,044 of the result. $alert is its index, $detail its bytes.
  (func $alerts (param $row i32) (param $n i32) (param $alert i32) (param $detail i32)
    (local $at i32) (local $i i32) (local $text i32)
    (local.set $text (call $alloc (i32.const 1) (local.get $detail)))
    (memory.fill (local.get $text) (i32.const 120) (select (local.get $detail) (i32.const 4096)
      (i32.lt_u (local.get $detail) (i32.const 4096))))
    (local.set $at (call $alloc (i32.const 8) (i32.mul (local.get $n) (i32.const 24))))
    (i32.store (i32.const 1044) (local.get $at))
    (i32.store (i32.const 1048) (local.get $n))
    (block $end (loop $next
      (br_if $end (i32.ge_u (local.get $i) (local.get $n)))
      (i32.store (local.get $at) (local.get $row))
      (i32.store offset=4 (local.get $at) (local.get $alert))
      (f64.store offset=8 (local.get $at) (f64.const 666))
      (i32.store offset=16 (local.get $at) (local.get $text))
      (i32.store offset=20 (local.get $at) (local.get $detail))
      (local.set $at (i32.add (local.get $at) (i32.const 24)))
      (local.set $i (i32.add (local.get $i) (i32.const 1)))
      (br $next))))

  (func (export "geminus:behavior/behavior@{{contract}}#step")
    (param $slots i32) (param $n i32) (param $times i32) (param i32) (param $values i32) (param i32)
    (param $quality i32) (param i32) (param i32 i32) (param i32 i32) (param i32 i32) (param i32 i32)
    (result i32)
    (local $r i32) (local $rec i32) (local $out i32) (local $a f64) (local $i i32) (local $cell i32)
    (local $mode i32)
    ;; A fault must change nothing, so it is looked for before anything is added up.
    (block $checked (loop $check
      (br_if $checked (i32.ge_u (local.get $r) (local.get $n)))
      (local.set $rec (call $opened (i32.load (i32.add (local.get $slots) (i32.shl (local.get $r) (i32.const 2))))))
      (if (i32.and (call $is (local.get $rec) (i32.const 102)) ;; f
            (f64.eq (f64.load (i32.add (local.get $values) (i32.shl (local.get $r) (i32.const 4)))) (f64.const 666)))
        (then
          (i32.store8 (i32.const 1024) (i32.const 1))
          (i32.store8 (i32.const 1028) (i32.const 2))
          (i32.store (i32.const 1032) (local.get $r))
          (i32.store (i32.const 1036) (i32.const 64)) (i32.store (i32.const 1040) (i32.const 11))
          (return (i32.const 1024))))
      (local.set $r (i32.add (local.get $r) (i32.const 1)))
      (br $check)))
    (local.set $out (call $alloc (i32.const 8) (i32.add (i32.const 8) (i32.shl (local.get $n) (i32.const 4)))))
    (i32.store8 (i32.const 1024) (i32.const 0))
    (i32.store (i32.const 1028) (local.get $out))
    (i32.store (i32.const 1032) (i32.shl (local.get $n) (i32.const 1)))
    (i64.store (i32.const 1036) (i64.const 0))
    (i64.store (i32.const 1044) (i64.const 0))
    (i64.store (i32.const 1052) (i64.const 0))
    (local.set $r (i32.const 0))
    (block $end (loop $next
      (br_if $end (i32.ge_u (local.get $r) (local.get $n)))
      (local.set $rec (call $opened (i32.load (i32.add (local.get $slots) (i32.shl (local.get $r) (i32.const 2))))))
      ;; Add up the usable inputs.
      (local.set $i (i32.const 0))
      (loop $input
        (local.set $cell (i32.add (i32.shl (local.get $r) (i32.const 1)) (local.get $i)))
        (if (i32.le_u (i32.load8_u (i32.add (local.get $quality) (local.get $cell))) (i32.const 1))
          (then (f64.store (local.get $rec) (f64.add (f64.load (local.get $rec))
            (f64.load (i32.add (local.get $values) (i32.shl (local.get $cell) (i32.const 3))))))))
        (local.set $i (i32.add (local.get $i) (i32.const 1)))
        (br_if $input (i32.lt_u (local.get $i) (i32.const 2))))
      (f64.store offset=8 (local.get $rec) (f64.add (f64.load offset=8 (local.get $rec)) (f64.const 1)))
      (f64.store (local.get $out) (f64.load (local.get $rec)))
      (f64.store offset=8 (local.get $out) (f64.load offset=8 (local.get $rec)))
      (local.set $a (f64.load (i32.add (local.get $values) (i32.shl (local.get $r) (i32.const 4)))))
      (if (f64.eq (local.get $a) (f64.const 666)) (then
        (local.set $mode (i32.load offset=16 (local.get $rec)))
        (i32.store offset=24 (local.get $rec) (i32.const 1))
        (if (i32.eq (local.get $mode) (i32.const 116)) (then unreachable)) ;; t
        (if (i32.eq (local.get $mode) (i32.const 108)) (then (loop $forever (br $forever)))) ;; l
        (if (i32.eq (local.get $mode) (i32.const 49)) ;; 1: log lines without end
          (then (loop $line (call $log (i32.const 2) (i32.const 16) (i32.const 9)) (br $line))))
        (if (i32.eq (local.get $mode) (i32.const 50)) (then ;; 2: look-ups without end
          (loop $look
            (call $read (i32.const 0) (i32.const 0) (i64.const 0) (i64.const 10) (i32.const 0) (i32.const 2048))
            (br $look))))
        (if (i32.eq (local.get $mode) (i32.const 51)) (then ;; 3: giant copies without end
          (loop $copy (memory.copy (i32.const 1048576) (i32.const 1048577) (i32.const 1000000)) (br $copy))))
        (if (i32.eq (local.get $mode) (i32.const 52)) (then ;; 4: a table that grows for ever
          (loop $table (drop (table.grow $table (ref.null func) (i32.const 1000))) (br $table))))
        (if (i32.eq (local.get $mode) (i32.const 53)) (then ;; 5: ten million values
          (call $claim (i32.const 80000000))
          (i32.store (i32.const 1032) (i32.const 10000000))))
        (if (i32.eq (local.get $mode) (i32.const 54)) (then ;; 6: a detail of 64 MiB
          (call $claim (i32.const 67108864))
          (call $alerts (local.get $r) (i32.const 1) (i32.const 0) (i32.const 0))
          (i32.store offset=20 (i32.load (i32.const 1044)) (i32.const 67108864))))
        (if (i32.eq (local.get $mode) (i32.const 57)) (then ;; 9: growth by nothing, without end
          (loop $grow (drop (memory.grow (i32.const 0))) (br $grow))))
        (if (i32.eq (local.get $mode) (i32.const 121)) (then ;; y: a loop that ends, after some 1.5 million fuel
          (local.set $i (i32.const 300000))
          (loop $count
            (local.set $i (i32.sub (local.get $i) (i32.const 1)))
            (br_if $count (local.get $i)))))
        (if (i32.eq (local.get $mode) (i32.const 80)) (then ;; P: proposes
          (local.set $cell (call $alloc (i32.const 8) (i32.const 48)))
          (memory.fill (local.get $cell) (i32.const 0) (i32.const 48))
          (i32.store (local.get $cell) (local.get $r))
          (f64.store offset=8 (local.get $cell) (f64.const 0.5))
          (f64.store offset=16 (local.get $cell) (f64.const 1))
          (i32.store (i32.const 1052) (local.get $cell))
          (i32.store (i32.const 1056) (i32.const 1))))
        (if (i32.eq (local.get $mode) (i32.const 48)) (then ;; 0: long log lines without end
          (memory.fill (i32.const 1572864) (i32.const 120) (i32.const 65536))
          (loop $line (call $log (i32.const 2) (i32.const 1572864) (i32.const 65536)) (br $line))))
        (if (i32.eq (local.get $mode) (i32.const 103)) ;; g
          (then (loop $grow (drop (memory.grow (i32.const 16))) (br $grow))))
        (if (i32.eq (local.get $mode) (i32.const 109)) ;; m
          (then (drop (i32.load (i32.const 0xfffffff0)))))
        (if (i32.eq (local.get $mode) (i32.const 120)) ;; x
          (then (drop (call $recurse (i32.const 0)))))
        (if (i32.eq (local.get $mode) (i32.const 101)) (then ;; e
          (i64.store (local.get $out) (i64.const 0x7ff8dead0000beef))
          (f64.store offset=8 (local.get $out) (f64.const inf))))
        (if (i32.eq (local.get $mode) (i32.const 119)) ;; w
          (then (i32.store (i32.const 1032) (i32.add (i32.load (i32.const 1032)) (i32.const 1)))))
        (if (i32.eq (local.get $mode) (i32.const 113)) (then ;; q
          (local.set $i (call $alloc (i32.const 1) (i32.shl (local.get $n) (i32.const 1))))
          (memory.fill (local.get $i) (i32.const 9) (i32.shl (local.get $n) (i32.const 1)))
          (i32.store (i32.const 1036) (local.get $i))
          (i32.store (i32.const 1040) (i32.shl (local.get $n) (i32.const 1)))))
        (if (i32.eq (local.get $mode) (i32.const 97)) ;; a
          (then (call $alerts (local.get $r) (i32.const 1000) (i32.const 0) (i32.const 4))))
        (if (i32.eq (local.get $mode) (i32.const 105)) ;; i
          (then (call $alerts (local.get $r) (i32.const 1) (i32.const 77) (i32.const 4))))
        (if (i32.eq (local.get $mode) (i32.const 100)) ;; d
          (then (call $alerts (local.get $r) (i32.const 1) (i32.const 0) (i32.const 600))))
        (if (i32.eq (local.get $mode) (i32.const 115)) ;; s
          (then (call $alerts (local.get $r) (i32.const 1) (i32.const 0) (i32.const 8000000))))
        (if (i32.eq (local.get $mode) (i32.const 118)) (then ;; v
          (local.set $cell (call $alloc (i32.const 1) (i32.const 2000)))
          (memory.fill (local.get $cell) (i32.const 120) (i32.const 2000))
          (local.set $i (i32.const 0))
          (loop $line
            (call $log (i32.const 2) (local.get $cell) (i32.const 2000))
            (local.set $i (i32.add (local.get $i) (i32.const 1)))
            (br_if $line (i32.lt_u (local.get $i) (i32.const 100))))))
        (if (i32.eq (local.get $mode) (i32.const 98)) (then ;; b: not UTF-8
          (local.set $cell (call $alloc (i32.const 1) (i32.const 4)))
          (i32.store (local.get $cell) (i32.const 0xfffefdfc))
          (call $log (i32.const 2) (local.get $cell) (i32.const 4))))
        (if (i32.eq (local.get $mode) (i32.const 107)) (then ;; k: second output is the number of answered look-ups
          (f64.store offset=8 (local.get $out) (f64.const 0))
          (local.set $i (i32.const 0))
          (loop $look
            (call $read (i32.load (i32.add (local.get $slots) (i32.shl (local.get $r) (i32.const 2))))
              (i32.const 0) (i64.const 0) (i64.const 10) (i32.const 5) (i32.const 2048))
            (if (i32.eqz (i32.load8_u (i32.const 2048))) (then
              (f64.store offset=8 (local.get $out) (f64.add (f64.load offset=8 (local.get $out)) (f64.const 1)))))
            (local.set $i (i32.add (local.get $i) (i32.const 1)))
            (br_if $look (i32.lt_u (local.get $i) (i32.const 20))))))
      ))
      (local.set $out (i32.add (local.get $out) (i32.const 16)))
      (local.set $r (i32.add (local.get $r) (i32.const 1)))
      (br $next)))
    (i32.const 1024))

  (func (export "geminus:behavior/behavior@{{contract}}#forecast")
    (param $slot i32) (param $times i32) (param $n i32) (param $values i32) (param i32) (result i32)
    (local $rec i32) (local $mean i32) (local $i i32)
    (local.set $rec (call $opened (local.get $slot)))
    (if (call $is (local.get $rec) (i32.const 84)) (then unreachable)) ;; T
    (local.set $mean (call $alloc (i32.const 8) (i32.shl (local.get $n) (i32.const 4))))
    (i32.store (i32.const 1028) (local.get $mean))
    (i32.store (i32.const 1032) (i32.shl (local.get $n) (i32.const 1)))
    (i32.store (i32.const 1036) (local.get $mean))
    (i32.store (i32.const 1040) (i32.shl (local.get $n) (i32.const 1)))
    (block $end (loop $next
      (br_if $end (i32.ge_u (local.get $i) (i32.shl (local.get $n) (i32.const 1))))
      (f64.store (i32.add (local.get $mean) (i32.shl (local.get $i) (i32.const 3))) (f64.load (local.get $rec)))
      (local.set $i (i32.add (local.get $i) (i32.const 1)))
      (br $next)))
    (call $ok))

  ;; Schema 1: sum, count. Schema 2: sum, count, and a 2 that nobody reads.
  (func $size (param $schema i32) (result i32)
    (select (i32.const 16) (i32.const 24) (i32.eq (local.get $schema) (i32.const 1))))

  (func (export "geminus:behavior/behavior@{{contract}}#snapshot")
    (param $slots i32) (param $n i32) (param $some i32) (param $asked i32) (result i32)
    (local $schema i32) (local $bytes i32) (local $ends i32) (local $i i32) (local $rec i32) (local $size i32)
    (local.set $schema (select (local.get $asked) (global.get $schema) (local.get $some)))
    (if (i32.gt_u (local.get $schema) (global.get $schema))
      (then (return (call $fault (i32.const 1) (i32.const 16) (i32.const 9)))))
    (local.set $size (call $size (local.get $schema)))
    (local.set $bytes (call $alloc (i32.const 8) (i32.mul (local.get $n) (local.get $size))))
    (local.set $ends (call $alloc (i32.const 4) (i32.shl (local.get $n) (i32.const 2))))
    (i32.store (i32.const 1028) (local.get $schema))
    (i32.store (i32.const 1032) (local.get $slots)) (i32.store (i32.const 1036) (local.get $n))
    (i32.store (i32.const 1040) (local.get $bytes))
    (i32.store (i32.const 1044) (i32.mul (local.get $n) (local.get $size)))
    (i32.store (i32.const 1048) (local.get $ends)) (i32.store (i32.const 1052) (local.get $n))
    (block $end (loop $next
      (br_if $end (i32.ge_u (local.get $i) (local.get $n)))
      (local.set $rec (call $opened (i32.load (i32.add (local.get $slots) (i32.shl (local.get $i) (i32.const 2))))))
      (if (i32.load offset=24 (local.get $rec)) (then
        (if (call $is (local.get $rec) (i32.const 83)) (then unreachable)) ;; S
        (if (call $is (local.get $rec) (i32.const 55)) (then (loop $forever (br $forever)))) ;; 7
        (if (call $is (local.get $rec) (i32.const 70)) ;; F
          (then (return (call $fault (i32.const 1) (i32.const 16) (i32.const 9)))))))
      (f64.store (local.get $bytes) (f64.load (local.get $rec)))
      (f64.store offset=8 (local.get $bytes) (f64.load offset=8 (local.get $rec)))
      (if (i32.eq (local.get $size) (i32.const 24)) (then (f64.store offset=16 (local.get $bytes) (f64.const 2))))
      (local.set $bytes (i32.add (local.get $bytes) (local.get $size)))
      (local.set $i (i32.add (local.get $i) (i32.const 1)))
      (i32.store (local.get $ends) (i32.mul (local.get $i) (local.get $size)))
      (local.set $ends (i32.add (local.get $ends) (i32.const 4)))
      (br $next)))
    (call $ok))

  (func (export "geminus:behavior/behavior@{{contract}}#restore")
    (param $schema i32) (param $slots i32) (param $n i32) (param $bytes i32) (param $length i32)
    (param $ends i32) (param i32) (result i32)
    (local $i i32) (local $rec i32) (local $size i32) (local $at i32)
    (local.set $size (call $size (local.get $schema)))
    (if (i32.or (i32.gt_u (local.get $schema) (global.get $schema))
          (i32.ne (local.get $length) (i32.mul (local.get $n) (local.get $size))))
      (then (return (call $fault (i32.const 1) (i32.const 16) (i32.const 9)))))
    (block $checked (loop $check
      (br_if $checked (i32.ge_u (local.get $i) (local.get $n)))
      (local.set $rec (call $opened (i32.load (i32.add (local.get $slots) (i32.shl (local.get $i) (i32.const 2))))))
      (local.set $at (i32.add (local.get $bytes) (i32.mul (local.get $i) (local.get $size))))
      (if (f64.gt (f64.load (local.get $at)) (f64.const 600)) (then
        (if (call $is (local.get $rec) (i32.const 114)) (then unreachable)) ;; r
        (if (call $is (local.get $rec) (i32.const 56)) (then (loop $forever (br $forever)))) ;; 8
        (if (call $is (local.get $rec) (i32.const 117)) ;; u
          (then (return (call $fault (i32.const 1) (i32.const 16) (i32.const 9)))))))
      (local.set $i (i32.add (local.get $i) (i32.const 1)))
      (br $check)))
    (local.set $i (i32.const 0))
    (block $end (loop $next
      (br_if $end (i32.ge_u (local.get $i) (local.get $n)))
      (local.set $rec (call $opened (i32.load (i32.add (local.get $slots) (i32.shl (local.get $i) (i32.const 2))))))
      (local.set $at (i32.add (local.get $bytes) (i32.mul (local.get $i) (local.get $size))))
      (f64.store (local.get $rec) (f64.load (local.get $at)))
      (f64.store offset=8 (local.get $rec) (f64.load offset=8 (local.get $at)))
      (local.set $i (i32.add (local.get $i) (i32.const 1)))
      (br $next)))
    (call $ok))

  (func (export "geminus:behavior/behavior@{{contract}}#close") (param $slots i32) (param $n i32)
    (local $i i32) (local $rec i32)
    (block $end (loop $next
      (br_if $end (i32.ge_u (local.get $i) (local.get $n)))
      (local.set $rec (call $record (i32.load (i32.add (local.get $slots) (i32.shl (local.get $i) (i32.const 2))))))
      (if (call $is (local.get $rec) (i32.const 99)) (then unreachable)) ;; c
      (i32.store offset=20 (local.get $rec) (i32.const 0))
      (local.set $i (i32.add (local.get $i) (i32.const 1)))
      (br $next))))

  (export "cabi_post_geminus:behavior/behavior@{{contract}}#open" (func $done_result))
  (export "cabi_post_geminus:behavior/behavior@{{contract}}#step" (func $done_result))
  (export "cabi_post_geminus:behavior/behavior@{{contract}}#forecast" (func $done_result))
  (export "cabi_post_geminus:behavior/behavior@{{contract}}#snapshot" (func $done_result))
  (export "cabi_post_geminus:behavior/behavior@{{contract}}#restore" (func $done_result))
  (export "cabi_post_geminus:behavior/behavior@{{contract}}#close" (func $done))
)
