; NFT mint: things with a number and an owner.
;
; Every mint reads and writes the next number: a mint is a queue, whatever else the transactions do.
;
; Constructor: takes no input, does nothing.
; Entries (the input's first byte; numbers are 64-bit little-endian, addresses 32 bytes):
;   0 mint(to)         anyone may; returns the number, 8 bytes, the first is 0
;   1 owner_of(id)     returns 32 bytes
;   2 transfer(id, to) the owner only
; Storage:
;   "n"      the next number
;   "o" id   the owner
; Exit codes: 0 done, 1 wrong length of the input, 2 unknown entry, 3 there is no such thing, 4 not the owner,
;   5 all 2^64-1 numbers are used.
; Event of mint and transfer: topics "Transfer" (ASCII, filled with zeros to 32 bytes), from (zero for mint), to;
;   data id.

.equ BAD_INPUT, 1
.equ UNKNOWN_ENTRY, 2
.equ NO_SUCH, 3
.equ NOT_OWNER, 4
.equ ALL_USED, 5

.ascii NEXT_KEY, "n"

; The input.
.equ MINT_TO, 1
.equ ID, 1
.equ TO, 9

; The frame.
.equ TOPICS, -96                ; name, from, to
.equ FROM, -64
.equ TOPIC_TO, -32
.equ NUMBER, -104
.equ KEY, -120                  ; 9 bytes
.equ OWNER, -152

entrypoint:
    mov64 r6, r1                ; r6: the input, from here on
    jne r4, 0, constructor
    jeq r2, 0, bad_input
    ldxb r1, [r6]
    jeq r1, 0, mint
    jeq r1, 1, owner_of
    jeq r1, 2, transfer
    mov64 r0, UNKNOWN_ENTRY
    exit
constructor:
    jne r2, 0, bad_input
    mov64 r0, 0
    exit
bad_input:
    mov64 r0, BAD_INPUT
    exit

mint:
    jne r2, 33, bad_input
    add64 r6, MINT_TO           ; r6: the new owner
    mov64 r1, NEXT_KEY
    mov64 r2, NEXT_KEY_LEN
    mov64 r3, r10
    add64 r3, NUMBER            ; 0 where nothing is stored: the frame is new
    mov64 r4, 8
    syscall storage_read
    ldxdw r7, [r10+NUMBER]      ; r7: the number
    jeq r7, -1, all_used
    mov64 r1, r7
    add64 r1, 1
    stxdw [r10+NUMBER], r1
    mov64 r1, NEXT_KEY
    mov64 r2, NEXT_KEY_LEN
    mov64 r3, r10
    add64 r3, NUMBER
    mov64 r4, 8
    syscall storage_write
    stxdw [r10+NUMBER], r7
    mov64 r1, r10
    add64 r1, NUMBER
    mov64 r2, 8
    syscall set_return_data
    ja give

all_used:
    mov64 r0, ALL_USED
    exit

transfer:
    jne r2, 41, bad_input
    ldxdw r7, [r6+ID]           ; r7: the number
    stxdw [r10+NUMBER], r7
    call read_owner
    jeq r0, -1, no_such
    mov64 r1, r10
    add64 r1, FROM
    syscall get_caller
    mov64 r1, r10
    ldxdw r2, [r1+FROM]
    ldxdw r3, [r1+OWNER]
    jne r2, r3, not_owner
    ldxdw r2, [r1+FROM+8]
    ldxdw r3, [r1+OWNER+8]
    jne r2, r3, not_owner
    ldxdw r2, [r1+FROM+16]
    ldxdw r3, [r1+OWNER+16]
    jne r2, r3, not_owner
    ldxdw r2, [r1+FROM+24]
    ldxdw r3, [r1+OWNER+24]
    jne r2, r3, not_owner
    add64 r6, TO                ; r6: the new owner

; r6 the new owner, r7 the number, also in NUMBER; FROM is the old owner, or zero.
give:
    stb [r10+KEY], 'o'
    stxdw [r10+KEY+1], r7
    mov64 r1, r10
    add64 r1, KEY
    mov64 r2, 9
    mov64 r3, r6
    mov64 r4, 32
    syscall storage_write
    lddw r1, 'Transfer'
    stxdw [r10+TOPICS], r1      ; the rest of it is zero: the frame is new
    ldxdw r1, [r6]
    stxdw [r10+TOPIC_TO], r1
    ldxdw r1, [r6+8]
    stxdw [r10+TOPIC_TO+8], r1
    ldxdw r1, [r6+16]
    stxdw [r10+TOPIC_TO+16], r1
    ldxdw r1, [r6+24]
    stxdw [r10+TOPIC_TO+24], r1
    mov64 r1, r10
    add64 r1, TOPICS
    mov64 r2, r10
    add64 r2, NUMBER
    mov64 r3, 8
    syscall log3
    exit

owner_of:
    jne r2, 9, bad_input
    call read_owner
    jeq r0, -1, no_such
    mov64 r1, r10
    add64 r1, OWNER
    mov64 r2, 32
    syscall set_return_data
    exit
no_such:
    mov64 r0, NO_SUCH
    exit
not_owner:
    mov64 r0, NOT_OWNER
    exit

; Reads the owner into the frame of the entry, which is one frame (of 4096 bytes) below: r6 the input.
; r0: 2^64-1 where there is none.
read_owner:
    stb [r10+KEY], 'o'
    ldxdw r1, [r6+ID]
    stxdw [r10+KEY+1], r1
    mov64 r1, r10
    add64 r1, KEY
    mov64 r2, 9
    mov64 r3, r10
    add64 r3, OWNER-4096
    mov64 r4, 32
    syscall storage_read
    exit
