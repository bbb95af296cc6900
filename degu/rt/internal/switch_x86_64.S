# Where a goroutine begins and with_stack() changes stacks, for x86-64, System V ABI; the switch itself is inline
# (switch.h).
  .text

# First instructions of a goroutine: the base of its stack, where unwinders and frame-pointer walks end.
  .globl degu_rt_entry
  .hidden degu_rt_entry
  .type degu_rt_entry, @function
  .p2align 4
degu_rt_entry:
  .cfi_startproc
  .cfi_undefined rip
  endbr64
  xorl %ebp, %ebp
  call degu_rt_goroutine_main
  ud2
  .cfi_endproc
  .size degu_rt_entry, .-degu_rt_entry

# void degu_rt_call_on(void* stack_top, void (*fn)(void*), void* arg)
  .globl degu_rt_call_on
  .hidden degu_rt_call_on
  .type degu_rt_call_on, @function
  .p2align 4
degu_rt_call_on:
  .cfi_startproc
  endbr64
  pushq %rbp
  .cfi_def_cfa_offset 16
  .cfi_offset %rbp, -16
  movq %rsp, %rbp
  .cfi_def_cfa_register %rbp
  movq %rdi, %rsp
  movq %rdx, %rdi
  call *%rsi
  movq %rbp, %rsp
  popq %rbp
  .cfi_def_cfa %rsp, 8
  ret
  .cfi_endproc
  .size degu_rt_call_on, .-degu_rt_call_on

  .section .note.GNU-stack,"",@progbits
