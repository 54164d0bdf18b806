; Token: balances, allowances and a total supply.
;
; A transfer reads and writes the sender's balance and only adds to the receiver's: payments to one popular account
; conflict with nobody but that account's own payments.
;
; Constructor: the caller becomes the owner. Input: nothing, or an amount (8) that the owner gets.
; Entries (the input's first byte; numbers are 64-bit little-endian, addresses 32 bytes):
;   0 mint(to, amount)                  the owner only; where no constructor ran, whoever mints first is the owner
;   1 transfer(to, amount)              from the caller
;   2 balance_of(address)               returns 8 bytes
;   3 approve(spender, amount)          sets what the spender may take from the caller; 0 removes
;   4 transfer_from(from, to, amount)   the caller spends from's allowance
;   5 allowance(owner, spender)         returns 8 bytes
;   6 total_supply()                    returns 8 bytes
;   7 owner()                           returns 32 bytes; none before there is an owner
; Storage:
;   "o"                 the owner
;   "s"                 the total supply, changed by storage_add
;   "b" address         a balance, credited by storage_add
;   "a" owner spender   an allowance
; Exit codes: 0 done, 1 wrong length of the input, 2 unknown entry, 3 not the owner, 4 insufficient balance,
;   5 insufficient allowance, 6 the supply would exceed 2^64-1.
; Events: topics "Transfer", from, to (from is zero for mint), data amount; topics "Approval", owner, spender, data
;   amount. The names are ASCII, filled with zeros to 32 bytes.

.equ BAD_INPUT, 1
.equ UNKNOWN_ENTRY, 2
.equ NOT_OWNER, 3
.equ NO_BALANCE, 4
.equ NO_ALLOWANCE, 5
.equ SUPPLY_OVERFLOW, 6

.ascii OWNER_KEY, "o"
.ascii SUPPLY_KEY, "s"

; The input.
.equ FIRST, 1                   ; an address
.equ SECOND, 33                 ; an address or an amount
.equ THIRD, 65                  ; an amount

; Frames.
.equ CALLER, -32
.equ OWNER, -64
.equ ZERO, -32                  ; in the frame of issue

entrypoint:
    mov64 r6, r1                ; r6: the input, from here on
    mov64 r7, r2                ; r7: its length
    jne r4, 0, constructor
    jeq r7, 0, bad_input
    ldxb r1, [r6]
    jeq r1, 0, mint
    jeq r1, 1, transfer
    jeq r1, 2, balance_of
    jeq r1, 3, approve
    jeq r1, 4, transfer_from
    jeq r1, 5, allowance
    jeq r1, 6, total_supply
    jeq r1, 7, owner
    mov64 r0, UNKNOWN_ENTRY
    exit
bad_input:
    mov64 r0, BAD_INPUT
    exit

constructor:
    jeq r7, 0, deploy
    jne r7, 8, bad_input
deploy:
    mov64 r1, r10
    add64 r1, CALLER
    syscall get_caller
    mov64 r1, OWNER_KEY
    mov64 r2, OWNER_KEY_LEN
    mov64 r3, r10
    add64 r3, CALLER
    mov64 r4, 32
    syscall storage_write
    jeq r7, 0, done
    mov64 r1, r10
    add64 r1, CALLER
    ldxdw r2, [r6]
    call issue
    exit
done:
    mov64 r0, 0
    exit

mint:
    jne r7, 41, bad_input
    mov64 r1, r10
    add64 r1, CALLER
    syscall get_caller
    mov64 r1, OWNER_KEY
    mov64 r2, OWNER_KEY_LEN
    mov64 r3, r10
    add64 r3, OWNER
    mov64 r4, 32
    syscall storage_read
    jeq r0, -1, first_mint      ; 2^64-1: nothing is stored
    mov64 r1, r10
    add64 r1, CALLER
    mov64 r2, r10
    add64 r2, OWNER
    call equal32
    jeq r0, 1, issue_input
    mov64 r0, NOT_OWNER
    exit
first_mint:
    mov64 r1, OWNER_KEY
    mov64 r2, OWNER_KEY_LEN
    mov64 r3, r10
    add64 r3, CALLER
    mov64 r4, 32
    syscall storage_write
issue_input:
    mov64 r1, r6
    add64 r1, FIRST
    ldxdw r2, [r6+SECOND]
    call issue
    exit

transfer:
    jne r7, 41, bad_input
    mov64 r1, r10
    add64 r1, CALLER
    syscall get_caller
    mov64 r1, r10
    add64 r1, CALLER
    mov64 r2, r6
    add64 r2, FIRST
    ldxdw r3, [r6+SECOND]
    call move
    exit

balance_of:
    jne r7, 33, bad_input
    mov64 r1, r10
    add64 r1, -40
    mov64 r2, r6
    add64 r2, FIRST
    call balance_key
    mov64 r1, r10
    add64 r1, -40
    mov64 r2, 33
    call give_number
    exit

approve:
    jne r7, 41, bad_input
    mov64 r1, r10
    add64 r1, CALLER
    syscall get_caller
    mov64 r1, r10
    add64 r1, CALLER
    mov64 r2, r6
    add64 r2, FIRST
    ldxdw r3, [r6+SECOND]
    call set_allowance
    lddw r1, 'Approval'
    mov64 r2, r10
    add64 r2, CALLER
    mov64 r3, r6
    add64 r3, FIRST
    ldxdw r4, [r6+SECOND]
    call announce
    exit

transfer_from:
    jne r7, 73, bad_input
    mov64 r1, r10
    add64 r1, CALLER
    syscall get_caller
    mov64 r1, r6
    add64 r1, FIRST
    mov64 r2, r10
    add64 r2, CALLER
    call get_allowance
    ldxdw r3, [r6+THIRD]
    jge r0, r3, spend
    mov64 r0, NO_ALLOWANCE
    exit
spend:
    mov64 r1, r6
    add64 r1, FIRST
    mov64 r2, r10
    add64 r2, CALLER
    sub64 r0, r3
    mov64 r3, r0
    call set_allowance
    mov64 r1, r6
    add64 r1, FIRST
    mov64 r2, r6
    add64 r2, SECOND
    ldxdw r3, [r6+THIRD]
    call move
    exit

allowance:
    jne r7, 65, bad_input
    mov64 r1, r10
    add64 r1, -72
    mov64 r2, r6
    add64 r2, FIRST
    mov64 r3, r6
    add64 r3, SECOND
    call allowance_key
    mov64 r1, r10
    add64 r1, -72
    mov64 r2, 65
    call give_number
    exit

total_supply:
    jne r7, 1, bad_input
    mov64 r1, SUPPLY_KEY
    mov64 r2, SUPPLY_KEY_LEN
    call give_number
    exit

owner:
    jne r7, 1, bad_input
    mov64 r1, OWNER_KEY
    mov64 r2, OWNER_KEY_LEN
    mov64 r3, r10
    add64 r3, OWNER
    mov64 r4, 32
    syscall storage_read
    jeq r0, -1, done
    mov64 r1, r10
    add64 r1, OWNER
    mov64 r2, 32
    syscall set_return_data
    exit

; New tokens: r1 address, r2 amount. r0: an exit code.
; The supply first: where it fits, every balance does, for each is a part of it.
issue:
    mov64 r6, r1
    mov64 r7, r2
    mov64 r1, SUPPLY_KEY
    mov64 r2, SUPPLY_KEY_LEN
    mov64 r3, r7
    syscall storage_add
    jne r0, 0, supply_overflow
    mov64 r1, r6
    mov64 r2, r7
    call credit
    jne r0, 0, supply_overflow
    lddw r1, 'Transfer'
    mov64 r2, r10
    add64 r2, ZERO
    stdw [r2], 0                ; frames are used again: it need not be zero yet
    stdw [r2+8], 0
    stdw [r2+16], 0
    stdw [r2+24], 0
    mov64 r3, r6
    mov64 r4, r7
    call announce
    exit
supply_overflow:
    mov64 r0, SUPPLY_OVERFLOW
    exit

; Moves tokens: r1 from, r2 to, r3 amount. r0: an exit code.
; The debit is written before the credit is added, so a transfer to oneself changes nothing.
move:
    mov64 r6, r1
    mov64 r7, r2
    mov64 r8, r3
    mov64 r1, r10
    add64 r1, -40
    mov64 r2, r6
    call balance_key
    mov64 r1, r10
    add64 r1, -40
    mov64 r2, 33
    call get_number
    jge r0, r8, debit
    mov64 r0, NO_BALANCE
    exit
debit:
    sub64 r0, r8
    mov64 r1, r10
    add64 r1, -40
    mov64 r2, 33
    mov64 r3, r0
    call set_number
    mov64 r1, r7
    mov64 r2, r8
    call credit
    jne r0, 0, supply_overflow
    lddw r1, 'Transfer'
    mov64 r2, r6
    mov64 r3, r7
    mov64 r4, r8
    call announce
    exit

; Adds to a balance: r1 address, r2 amount. r0: 0, or 1 where it does not fit.
credit:
    mov64 r6, r2
    mov64 r2, r1
    mov64 r1, r10
    add64 r1, -40
    call balance_key
    mov64 r1, r10
    add64 r1, -40
    mov64 r2, 33
    mov64 r3, r6
    syscall storage_add
    exit

; An event: r1 name, r2 and r3 addresses, r4 amount. r0: 0.
announce:
    stxdw [r10-104], r4
    stxdw [r10-96], r1
    stdw [r10-88], 0
    stdw [r10-80], 0
    stdw [r10-72], 0
    mov64 r6, r3
    mov64 r1, r10
    add64 r1, -64
    call copy32
    mov64 r1, r10
    add64 r1, -32
    mov64 r2, r6
    call copy32
    mov64 r1, r10
    add64 r1, -96
    mov64 r2, r10
    add64 r2, -104
    mov64 r3, 8
    syscall log3
    exit

; What a spender may take: r1 owner, r2 spender. r0: the amount.
get_allowance:
    mov64 r3, r2
    mov64 r2, r1
    mov64 r1, r10
    add64 r1, -72
    call allowance_key
    mov64 r1, r10
    add64 r1, -72
    mov64 r2, 65
    call get_number
    exit

; Sets what a spender may take: r1 owner, r2 spender, r3 amount.
set_allowance:
    mov64 r6, r3
    mov64 r3, r2
    mov64 r2, r1
    mov64 r1, r10
    add64 r1, -72
    call allowance_key
    mov64 r1, r10
    add64 r1, -72
    mov64 r2, 65
    jeq r6, 0, forget
    mov64 r3, r6
    call set_number
    exit
forget:
    syscall storage_delete
    exit

; Writes the key of a balance: r1 where, r2 address.
balance_key:
    stb [r1], 'b'
    add64 r1, 1
    call copy32
    exit

; Writes the key of an allowance: r1 where, r2 owner, r3 spender.
allowance_key:
    mov64 r6, r1
    mov64 r7, r3
    stb [r1], 'a'
    add64 r1, 1
    call copy32
    mov64 r1, r6
    add64 r1, 33
    mov64 r2, r7
    call copy32
    exit

; The number under a key, 0 where there is none: r1 key, r2 its length. r0: the number.
get_number:
    stdw [r10-8], 0
    mov64 r3, r10
    add64 r3, -8
    mov64 r4, 8
    syscall storage_read
    ldxdw r0, [r10-8]
    exit

; Sets the number under a key: r1 key, r2 its length, r3 number.
set_number:
    stxdw [r10-8], r3
    mov64 r3, r10
    add64 r3, -8
    mov64 r4, 8
    syscall storage_write
    exit

; Returns the number under a key to the caller of the contract: r1 key, r2 its length. r0: 0.
give_number:
    call get_number
    stxdw [r10-8], r0
    mov64 r1, r10
    add64 r1, -8
    mov64 r2, 8
    syscall set_return_data
    exit

; Copies 32 bytes: r1 where to, r2 where from.
copy32:
    ldxdw r3, [r2]
    stxdw [r1], r3
    ldxdw r3, [r2+8]
    stxdw [r1+8], r3
    ldxdw r3, [r2+16]
    stxdw [r1+16], r3
    ldxdw r3, [r2+24]
    stxdw [r1+24], r3
    exit

; Whether 32 bytes are the same: r1, r2. r0: 1 or 0.
equal32:
    mov64 r0, 0
    ldxdw r3, [r1]
    ldxdw r4, [r2]
    jne r3, r4, differ
    ldxdw r3, [r1+8]
    ldxdw r4, [r2+8]
    jne r3, r4, differ
    ldxdw r3, [r1+16]
    ldxdw r4, [r2+16]
    jne r3, r4, differ
    ldxdw r3, [r1+24]
    ldxdw r4, [r2+24]
    jne r3, r4, differ
    mov64 r0, 1
differ:
    exit
