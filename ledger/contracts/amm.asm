; AMM: constant-product pools of two internal assets.
;
; One contract holds many pools, each under its own keys: swaps in one pool all read and write both its reserves (a hot
; pool), swaps in different pools have nothing in common. It keeps no accounts: what goes in and comes out is in the
; events.
;
; A swap of `in` gives out = floor(reserve_out * in * 997 / (reserve_in * 1000 + in * 997)): 0.3 % of `in` stays in the
; pool, and the product of the reserves never shrinks. The machine has no 128-bit numbers. Reserves are at most
; (2^64-1)/1000, so that the denominator fits in 64 bits; the product above it is made of 32-bit limbs, and divided bit
; by bit.
;
; Constructor: takes no input, does nothing.
; Entries (the input's first byte; pool is 8 bytes, numbers are 64-bit little-endian):
;   0 init(pool, reserve_a, reserve_b)              makes a pool
;   1 swap(pool, direction, amount_in, min_out)     direction, 1 byte: 0 a for b, 1 b for a; returns 8 bytes
;   2 reserves(pool)                                returns 16 bytes
; Storage:
;   "a" pool   the reserve of a
;   "b" pool   the reserve of b
; Exit codes: 0 done, 1 wrong length of the input or no direction, 2 unknown entry, 3 the pool exists, 4 no such pool,
;   5 a reserve of 0 or above the maximum, 6 nothing goes in, or more than the maximum allows, 7 less than min_out.
; Event of a swap: topic "Swap" (ASCII, filled with zeros to 32 bytes), data pool, direction (8 bytes), in, out.

.equ BAD_INPUT, 1
.equ UNKNOWN_ENTRY, 2
.equ POOL_EXISTS, 3
.equ NO_POOL, 4
.equ BAD_RESERVE, 5
.equ BAD_AMOUNT, 6
.equ SLIPPAGE, 7

.equ MAX_RESERVE, 18446744073709551    ; (2^64-1)/1000

; The input.
.equ POOL, 1
.equ RESERVE_A, 9
.equ RESERVE_B, 17
.equ DIRECTION, 9
.equ AMOUNT_IN, 10
.equ MIN_OUT, 18

; The frame of the entries.
.equ KEY_IN, -16                ; 9 bytes, the key of the reserve that grows
.equ KEY_OUT, -32               ; 9 bytes, the key of the reserve that shrinks
.equ NEW_IN, -40                ; what the reserve will be
.equ BOTH, -56                  ; 16 bytes, both reserves
.equ TOPIC, -96                 ; 32 bytes
.equ DATA, -128                 ; 32 bytes

entrypoint:
    mov64 r6, r1                ; r6: the input, from here on
    jne r4, 0, constructor
    jeq r2, 0, bad_input
    ldxb r1, [r6]
    jeq r1, 0, init
    jeq r1, 1, swap
    jeq r1, 2, reserves
    mov64 r0, UNKNOWN_ENTRY
    exit
constructor:
    jne r2, 0, bad_input
    mov64 r0, 0
    exit
bad_input:
    mov64 r0, BAD_INPUT
    exit
bad_reserve:
    mov64 r0, BAD_RESERVE
    exit
no_pool:
    mov64 r0, NO_POOL
    exit

init:
    jne r2, 25, bad_input
    lddw r7, MAX_RESERVE
    ldxdw r8, [r6+RESERVE_A]
    ldxdw r9, [r6+RESERVE_B]
    jeq r8, 0, bad_reserve
    jeq r9, 0, bad_reserve
    jgt r8, r7, bad_reserve
    jgt r9, r7, bad_reserve
    mov64 r1, 0
    call keys
    mov64 r1, r10
    add64 r1, KEY_IN
    call get_number
    jne r0, 0, pool_exists
    mov64 r1, r10
    add64 r1, KEY_IN
    mov64 r2, r8
    call set_number
    mov64 r1, r10
    add64 r1, KEY_OUT
    mov64 r2, r9
    call set_number
    exit
pool_exists:
    mov64 r0, POOL_EXISTS
    exit

swap:
    jne r2, 26, bad_input
    ldxb r1, [r6+DIRECTION]
    jgt r1, 1, bad_input
    call keys
    mov64 r1, r10
    add64 r1, KEY_IN
    call get_number
    jeq r0, 0, no_pool          ; reserves are never 0
    mov64 r7, r0                ; r7: the reserve that grows
    mov64 r1, r10
    add64 r1, KEY_OUT
    call get_number
    mov64 r8, r0                ; r8: the reserve that shrinks
    ldxdw r9, [r6+AMOUNT_IN]    ; r9: what goes in
    lddw r1, MAX_RESERVE
    jeq r9, 0, bad_amount
    jgt r9, r1, bad_amount
    mov64 r2, r7
    add64 r2, r9
    jgt r2, r1, bad_amount
    stxdw [r10+NEW_IN], r2
    mov64 r1, r8
    mov64 r2, r9
    mul64 r2, 997
    mov64 r3, r7
    mul64 r3, 1000
    add64 r3, r2                ; fits: at most 1000 times the new reserve
    call mul_div
    mov64 r7, r0                ; r7: what comes out; less than the reserve, for the divisor exceeds in * 997
    ldxdw r1, [r6+MIN_OUT]
    jlt r7, r1, slippage
    mov64 r1, r10
    add64 r1, KEY_IN
    ldxdw r2, [r10+NEW_IN]
    call set_number
    sub64 r8, r7
    mov64 r1, r10
    add64 r1, KEY_OUT
    mov64 r2, r8
    call set_number

    lddw r1, 'Swap'
    stxdw [r10+TOPIC], r1       ; the rest of it is zero: the frame is new
    ldxdw r1, [r6+POOL]
    stxdw [r10+DATA], r1
    ldxb r1, [r6+DIRECTION]
    stxdw [r10+DATA+8], r1
    stxdw [r10+DATA+16], r9
    stxdw [r10+DATA+24], r7
    mov64 r1, r10
    add64 r1, TOPIC
    mov64 r2, r10
    add64 r2, DATA
    mov64 r3, 32
    syscall log1
    mov64 r1, r10
    add64 r1, DATA+24
    mov64 r2, 8
    syscall set_return_data
    exit
bad_amount:
    mov64 r0, BAD_AMOUNT
    exit
slippage:
    mov64 r0, SLIPPAGE
    exit

reserves:
    jne r2, 9, bad_input
    mov64 r1, 0
    call keys
    mov64 r1, r10
    add64 r1, KEY_IN
    call get_number
    jeq r0, 0, no_pool
    stxdw [r10+BOTH], r0
    mov64 r1, r10
    add64 r1, KEY_OUT
    call get_number
    stxdw [r10+BOTH+8], r0
    mov64 r1, r10
    add64 r1, BOTH
    mov64 r2, 16
    syscall set_return_data
    exit

; Writes the keys of the pool into the frame of the entry: r1 the direction, r6 the input.
; The entries are one frame (of 4096 bytes) below.
keys:
    mov64 r2, r10
    add64 r2, -4096
    ldxdw r3, [r6+POOL]
    stxdw [r2+KEY_IN+1], r3
    stxdw [r2+KEY_OUT+1], r3
    mov64 r3, 'a'
    add64 r3, r1
    stxb [r2+KEY_IN], r3
    mov64 r3, 'b'
    sub64 r3, r1
    stxb [r2+KEY_OUT], r3
    exit

; The number under a key of 9 bytes, 0 where there is none: r1 key. r0: the number.
get_number:
    stdw [r10-8], 0
    mov64 r2, 9
    mov64 r3, r10
    add64 r3, -8
    mov64 r4, 8
    syscall storage_read
    ldxdw r0, [r10-8]
    exit

; Sets the number under a key of 9 bytes: r1 key, r2 number. r0: 0.
set_number:
    stxdw [r10-8], r2
    mov64 r2, 9
    mov64 r3, r10
    add64 r3, -8
    mov64 r4, 8
    syscall storage_write
    exit

; floor(r1 * r2 / r3), which must be below 2^64. r0: the result.
mul_div:
    ; The limbs.
    mov64 r4, r1
    rsh64 r4, 32                ; r4: the high one of r1
    mov32 r1, r1                ; r1: its low one
    mov64 r5, r2
    rsh64 r5, 32                ; r5: the high one of r2
    mov32 r2, r2                ; r2: its low one
    mov64 r6, r1
    mul64 r6, r2                ; r6: low * low
    mul64 r1, r5                ; r1: low * high
    mul64 r2, r4                ; r2: high * low
    mul64 r4, r5                ; r4: high * high
    ; The sum of what is at 2^32: three numbers below 2^32.
    mov64 r5, r6
    rsh64 r5, 32
    mov32 r7, r1
    add64 r5, r7
    mov32 r7, r2
    add64 r5, r7
    ; The high half of the product, r4.
    rsh64 r1, 32
    add64 r4, r1
    rsh64 r2, 32
    add64 r4, r2
    mov64 r7, r5
    rsh64 r7, 32
    add64 r4, r7
    ; The low half, r0.
    mov64 r0, r5
    lsh64 r0, 32
    mov32 r6, r6
    or64 r0, r6
    ; Long division: the rest r4 is below r3 from the start, for the quotient fits; quotient bits come into r0 from the
    ; right as the low half goes out to the left.
    mov64 r1, 64
divide:
    mov64 r5, r4
    rsh64 r5, 63                ; r5: the bit that falls out of the rest
    mov64 r6, r0
    rsh64 r6, 63
    lsh64 r4, 1
    or64 r4, r6
    lsh64 r0, 1
    jne r5, 0, subtract         ; the rest is above 2^64, so above r3; the difference is right modulo 2^64
    jlt r4, r3, next
subtract:
    sub64 r4, r3
    or64 r0, 1
next:
    sub64 r1, 1
    jne r1, 0, divide
    exit
