suite   "untidy"    {
imports=[ ]
  }
locals{
a=1+2*3
  bcd   =   {x=1,y   = "two"   , (local.e)=[for v in [1,2] :v if v>1]}
e= "k" # comment
     f = <<EOT
  as  it is   
EOT
g=local.a>1?"yes":"no"
}
sandbox "s" { image = "i" }
case "c" {
prompt="p"
     sandbox=sandbox.s
check "k" {
command=["true",]
}
}
agent "noop" { builtin = "noop" }
matrix "m" {
cases=[case.c]

agents=[agent.noop]
}
