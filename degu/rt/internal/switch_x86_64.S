# Context switch for x86-64, System V ABI. Saves the callee-saved registers on the stack that is left; MXCSR and the x87
# control word stay the thread's (documented in docs/internals/context-switch.md).
  .text

# void degu_rt_switch(void** save_sp, void* load_sp)
  .globl degu_rt_switch
  .hidden degu_rt_switch
  .type degu_rt_switch, @function
  .p2align 4
degu_rt_switch:
  .cfi_startproc
  endbr64
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  # An indirect jump predicts better than a ret whose call was made on another stack.
  popq %rcx
  jmp *%rcx
  .cfi_endproc
  .size degu_rt_switch, .-degu_rt_switch

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
