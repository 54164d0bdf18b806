; Many reader: reads many values, and depends on all who write one of them.
;
; Constructor: takes no input, does nothing.
; Entries (the input's first byte; ids and numbers are 64-bit little-endian):
;   0 read(first, count)          returns the checksum of `count` values, from id `first` on, at most 200; 8 bytes
;   1 store(first, count, to)     the same, and writes the checksum as the value `to`
;   2 set(id, value)              writes a value
; The checksum begins at 0; each value (0 where there is none) makes it checksum * 31 + value, modulo 2^64. Ids wrap.
; Storage: "k" id, a value.
; Exit codes: 0 done, 1 wrong length of the input, 2 unknown entry, 3 a count above 200.
; Events: none.

.equ BAD_INPUT, 1
.equ UNKNOWN_ENTRY, 2
.equ TOO_MANY, 3

.equ MOST, 200

; The input.
.equ FIRST, 1
.equ COUNT, 9
.equ TO, 17
.equ ID, 1
.equ VALUE, 9

; The frame.
.equ NUMBER, -8
.equ KEY, -24                   ; 9 bytes

entrypoint:
    mov64 r6, r1                ; r6: the input, from here on
    jne r4, 0, constructor
    jeq r2, 0, bad_input
    stb [r10+KEY], 'k'
    ldxb r1, [r6]
    jeq r1, 0, read
    jeq r1, 1, store
    jeq r1, 2, set
    mov64 r0, UNKNOWN_ENTRY
    exit
constructor:
    jne r2, 0, bad_input
    mov64 r0, 0
    exit
bad_input:
    mov64 r0, BAD_INPUT
    exit

set:
    jne r2, 17, bad_input
    ldxdw r1, [r6+ID]
    stxdw [r10+KEY+1], r1
    mov64 r1, r10
    add64 r1, KEY
    mov64 r2, 9
    mov64 r3, r6
    add64 r3, VALUE
    mov64 r4, 8
    syscall storage_write
    exit

read:
    jne r2, 17, bad_input
    ja sum
store:
    jne r2, 25, bad_input
sum:
    ldxdw r7, [r6+FIRST]        ; r7: the next id
    ldxdw r8, [r6+COUNT]        ; r8: how many are left
    mov64 r9, 0                 ; r9: the checksum
    jgt r8, MOST, too_many
    jeq r8, 0, summed
next:
    stxdw [r10+KEY+1], r7
    stdw [r10+NUMBER], 0
    mov64 r1, r10
    add64 r1, KEY
    mov64 r2, 9
    mov64 r3, r10
    add64 r3, NUMBER
    mov64 r4, 8
    syscall storage_read
    ldxdw r1, [r10+NUMBER]
    mul64 r9, 31
    add64 r9, r1
    add64 r7, 1
    sub64 r8, 1
    jne r8, 0, next
summed:
    stxdw [r10+NUMBER], r9
    mov64 r1, r10
    add64 r1, NUMBER
    mov64 r2, 8
    syscall set_return_data
    ldxb r1, [r6]
    jeq r1, 0, done
    ldxdw r1, [r6+TO]
    stxdw [r10+KEY+1], r1
    mov64 r1, r10
    add64 r1, KEY
    mov64 r2, 9
    mov64 r3, r10
    add64 r3, NUMBER
    mov64 r4, 8
    syscall storage_write
done:
    mov64 r0, 0
    exit
too_many:
    mov64 r0, TOO_MANY
    exit
